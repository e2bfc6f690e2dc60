#include "alignment/selection/density_ratio.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "optim/core/lbfgsb.h"

namespace plumb {

absl::StatusOr<at::Tensor> DensityRatios(const at::Tensor& points, const at::Tensor& is_good) {
  const at::Tensor good = is_good.to(at::kDouble);
  const int64_t count = points.size(0), dimension = points.size(1);
  const auto good_count = good.sum().item<double>();
  if (good_count == 0 || good_count == static_cast<double>(count)) {
    return absl::InvalidArgumentError("expected good and bad answers, found one kind alone");
  }
  const at::Tensor inputs = at::cat({points.to(at::kDouble), at::ones({count, 1}, at::kDouble)}, 1);
  const double half = static_cast<double>(count) / 2;
  const at::Tensor weights =
      good * (half / good_count) + (1 - good) * (half / (static_cast<double>(count) - good_count));
  const at::Tensor signs = (2 * good - 1).unsqueeze(1);
  const Objective loss = WithAutograd([&](const at::Tensor& classifiers) {
    const at::Tensor logits = at::mm(inputs, classifiers.t());  // [N, B]
    const at::Tensor losses = (weights.unsqueeze(1) * at::softplus(-signs * logits)).sum(0);
    return losses + classifiers.narrow(1, 0, dimension).square().sum(1) / 2;
  });
  LbfgsbOptions options;
  options.set_ftol(0);  // until the gradient is small
  PLUMB_ASSIGN_OR_RETURN(
      const LbfgsbResult result,
      MinimizeLbfgsb(loss, at::zeros({1, dimension + 1}, at::kDouble), at::Tensor(), at::Tensor(), options));
  if (result.best < 0) return absl::InvalidArgumentError("points are not finite: are the model's states?");
  return at::mm(inputs, result.points.t()).squeeze(1).exp();
}

}  // namespace plumb
