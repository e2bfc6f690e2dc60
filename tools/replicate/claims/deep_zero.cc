// Chen et al. 2024: coordinate-wise estimates beat randomised ones at the same number of values.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tanh.h>

#include "optim/zeroth_order/gradient_estimates.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kDimension = 100;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const RandomStream random(seed, "deep zero");
  const at::Tensor inputs = random.Child("inputs").NormalTensor({50, kDimension}, at::kDouble);
  const at::Tensor targets = random.Child("targets").NormalTensor({50}, at::kDouble);
  const auto loss = [&](const at::Tensor& x) {
    return (at::tanh(inputs.matmul(x)) - targets).square().mean();
  };
  at::Tensor x = random.Child("x").NormalTensor({kDimension}, at::kDouble).mul_(0.1).requires_grad_(true);
  loss(x).backward();
  const at::Tensor gradient = x.grad();
  x = x.detach();
  const auto value = [&](const at::Tensor& at_x) { return loss(at_x).item<double>(); };
  const auto cosine = [&](const at::Tensor& estimate) {
    return (estimate.dot(gradient) / (estimate.norm() * gradient.norm())).item<double>();
  };
  return Comparison{cosine(CoordinateGradient(value, x, 1e-4)),
                    cosine(RandomizedGradient(value, x, 1e-4, kDimension, random.Child("directions")))};
}

const bool kRegistered = RegisterClaim(
    {"deep_zero", "Chen et al. 2024, DeepZero (arXiv 2310.02025)",
     "Coordinate-wise gradient estimates are more accurate than randomised ones of as many values.",
     "coordinate-wise", "randomised",
     "cosine with the gradient of a neuron's loss in 100 dimensions, 101 values each",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the estimator alone: not the accuracy of pruned ResNets, which the paper trains.", Run});

}  // namespace
}  // namespace plumb
