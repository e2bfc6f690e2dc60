#include "optim/causal/notears.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/causal/matrix_exponential.h"

namespace plumb {

std::pair<double, at::Tensor> Acyclicity(const at::Tensor& weights) {
  const at::Tensor exponential = MatrixExponential(weights.square());
  return {exponential.trace().item<double>() - weights.size(0), exponential.t() * weights * 2};
}

absl::StatusOr<NotearsResult> Notears(const at::Tensor& second_moments,
                                      const AugmentedLagrangianOptions& options) {
  PLUMB_RETURN_IF_ERROR(CheckShape("second moments", second_moments,
                                   {kAny, second_moments.dim() > 0 ? second_moments.size(0) : 0}));
  const int64_t size = second_moments.size(0);
  const at::Tensor moments = second_moments.detach().to(at::kDouble).contiguous();
  const at::Tensor identity = at::eye(size, at::kDouble);
  const auto score = [&](const at::Tensor& weights, const at::Tensor& gradient) {
    return ((weights - identity) * gradient).sum().item<double>() / 2;
  };
  const auto gradient = [&](const at::Tensor& weights) { return at::mm(moments, weights - identity); };
  ConstrainedProblem problem;
  problem.equalities = 1;
  problem.upper = at::full({size, size}, std::numeric_limits<double>::infinity(), at::kDouble);
  problem.upper.fill_diagonal_(0);
  problem.upper = problem.upper.flatten();
  problem.lower = -problem.upper;
  problem.evaluate = [&](const at::Tensor& x) -> absl::StatusOr<ConstrainedEvaluation> {
    const at::Tensor weights = x.view({size, size});
    const auto [h, slope] = Acyclicity(weights);
    ConstrainedEvaluation result;
    const at::Tensor of_score = gradient(weights);
    result.value = score(weights, of_score);
    result.gradient = of_score.flatten();
    result.constraints = at::full({1}, h, at::kDouble);
    result.jacobian = slope.reshape({1, size * size});
    return result;
  };
  // Weights against the order are held at nothing by a multiplier that grows with every round: without scales
  // of their own, the others' would take thousands of iterations beside them.
  const at::Tensor of_score = moments.diagonal().unsqueeze(1).expand({size, size});
  problem.curvatures = [&](const at::Tensor& x, const at::Tensor& multipliers) {
    const at::Tensor exponential = MatrixExponential(x.view({size, size}).square());
    return (of_score - 2 * multipliers[0] * exponential.t()).flatten();
  };
  // h's gradient vanishes with h, so that no multiplier makes the Lagrangian stationary: h alone says when it
  // is done, as in the authors' program.
  bool acyclic = false;
  const auto until_acyclic = [&](const IterationRecord& record) {
    acyclic = std::isfinite(record.step) && record.infeasibility <= options.feasibility_tolerance();
    return !acyclic;
  };
  AugmentedLagrangianOptions limits = options;
  if (!limits.inner().has_ftol()) limits.mutable_inner()->set_ftol(LbfgsbOptions().ftol());
  PLUMB_ASSIGN_OR_RETURN(
      ConstrainedResult found,
      MinimizeAugmentedLagrangian(problem, at::zeros({size * size}, at::kDouble), limits, until_acyclic));
  if (acyclic) {
    found.summary.termination = Termination::kConverged;
    found.summary.reason = absl::StrFormat("h is at most %g", options.feasibility_tolerance());
  }
  const at::Tensor weights = found.x.view({size, size});
  return NotearsResult{weights, score(weights, gradient(weights)), std::move(found.summary)};
}

}  // namespace plumb
