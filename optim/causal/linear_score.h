#ifndef PLUMB_OPTIM_CAUSAL_LINEAR_SCORE_H_
#define PLUMB_OPTIM_CAUSAL_LINEAR_SCORE_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "optim/causal/node_score.h"

namespace plumb {

// f(W) = |X - X W|_F^2 / (2 n), the least squares of a linear model, from the second moments S = X'X / n
// alone, [D, D] positive definite: data of any length cost no more than the matrix.
//
// Without masks the residual variances of an order are the squared diagonal of the Cholesky factor of S in
// that order, so that its score is half their sum, and a swap of two positions changes the rows between them
// alone. With forbidden edges each node is a factorisation of its own.
absl::StatusOr<std::unique_ptr<NodeScore>> MakeLinearScore(const at::Tensor& second_moments,
                                                           const EdgeMask& mask = {});

// X'X / n of X [n, D], columns centred.
at::Tensor SecondMoments(const at::Tensor& data);

// The same of data scaled to unit variance. Simulated data with equal noise gives its order away in its
// variances (sort_n_regress.h); results on standardised data say what a method finds without that.
at::Tensor StandardizedMoments(const at::Tensor& second_moments);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_LINEAR_SCORE_H_
