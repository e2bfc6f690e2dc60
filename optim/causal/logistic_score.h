#ifndef PLUMB_OPTIM_CAUSAL_LOGISTIC_SCORE_H_
#define PLUMB_OPTIM_CAUSAL_LOGISTIC_SCORE_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "optim/causal/node_score.h"

namespace plumb {

// f(W) = mean over samples of sum over nodes of log(1 + exp(X W)) - X * (X W), + l2 |W|^2 / 2: the negative
// log-likelihood of binary data X [n, D] of zeros and ones under a logistic model of each node without
// intercept, as NOTEARS has it. l2 above 0 keeps separable data's weights finite. Each node is a logistic
// regression by Newton's method, O(n D^2) a step.
absl::StatusOr<std::unique_ptr<NodeScore>> MakeLogisticScore(const at::Tensor& data, double l2 = 1e-3,
                                                             const EdgeMask& mask = {});

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_LOGISTIC_SCORE_H_
