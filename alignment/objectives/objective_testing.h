#ifndef PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_TESTING_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_TESTING_H_

#include <functional>
#include <string>

#include "alignment/objectives/objective.h"

namespace plumb {

// From text format, e.g. "dpo { beta: 0.2 }".
Objective MakeObjective(const std::string& text);

// 24 pairs in f64 with every input of PreferenceLogps: random ones, ties, log-ratios of +-1e4, answers of one
// token.
PreferenceLogps TestPairs();

// The same, but four of them have a reward of about +-1e4.
PreferenceLogps TestPairsWithHugeRewards();

// Element i of a tensor.
double At(const at::Tensor& tensor, int64_t i);

// Natural logarithm of 1 / (1 + exp(-x)) by the C library.
double LogSigmoid(double x);

// The loss of each example against `expected(i)`, to 1e-12 relative.
void ExpectLosses(const Objective& objective, const PreferenceLogps& logps,
                  const std::function<double(int64_t i)>& expected);

// The gradient of the loss with respect to every input against central differences, and that inputs which the
// traits do not name are not looked at.
void ExpectGradients(const Objective& objective, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_OBJECTIVE_TESTING_H_
