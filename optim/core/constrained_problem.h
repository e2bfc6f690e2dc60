#ifndef PLUMB_OPTIM_CORE_CONSTRAINED_PROBLEM_H_
#define PLUMB_OPTIM_CORE_CONSTRAINED_PROBLEM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "optim/core/summary.h"

namespace plumb {

// Everything at one point. f64, on the CPU.
struct ConstrainedEvaluation {
  double value = 0;
  at::Tensor gradient;     // [D]
  at::Tensor constraints;  // [M]: the equalities c(x) = 0 first, then the inequalities c(x) >= 0
  at::Tensor jacobian;     // [M, D]
};

// min f(x) subject to c(x) = 0, c(x) >= 0 and lower <= x <= upper.
struct ConstrainedProblem {
  std::function<absl::StatusOr<ConstrainedEvaluation>(const at::Tensor& x)> evaluate;  // x: [D]
  int64_t equalities = 0;   // how many of the M constraints are equalities
  at::Tensor lower, upper;  // [D]; undefined: no bounds
  // May be null: the diagonal, [D], of the Hessian of f - l'c, or an estimate of it. Where some variables are
  // far stiffer than others, the augmented Lagrangian needs far fewer evaluations with it.
  std::function<at::Tensor(const at::Tensor& x, const at::Tensor& multipliers)> curvatures;
};

struct ConstrainedResult {
  at::Tensor x;            // [D], within the bounds
  at::Tensor constraints;  // [M], at x
  at::Tensor multipliers;  // [M], l of the Lagrangian f - l'c; not negative for inequalities
  double penalty = 0;      // the last one, of the scaled problem
  // optimality: largest element of the projected gradient of the Lagrangian, of the scaled problem;
  // infeasibility: the largest violation, unscaled.
  Summary summary;
};

// problem.evaluate at x, counted in `calls`, with all that can go wrong in it turned into a status: an error,
// an exception, a wrong shape, a number that is not finite. Tensors come back defined, f64 and contiguous.
// `constraints`: how many there must be; kAny where none is known yet.
absl::StatusOr<ConstrainedEvaluation> EvaluateConstrained(const ConstrainedProblem& problem,
                                                          const at::Tensor& x, int64_t constraints,
                                                          OracleCalls& calls);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_CONSTRAINED_PROBLEM_H_
