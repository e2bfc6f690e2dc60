#include "optim/implicit/stationary.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "common/kernels/record_backward.h"

namespace plumb {

at::Tensor ObjectiveGradient(const ParametricObjective& objective, const at::Tensor& x,
                             const Parameters& theta) {
  Parameters all = theta;
  all.push_back(x);
  const bool differentiable = NeedsGradient(all);
  const at::AutoGradMode record(true);
  const at::Tensor input = x.requires_grad() ? x : x.detach().requires_grad_(true);
  const at::Tensor value = objective(input, theta);
  TORCH_CHECK(value.numel() == 1, "objective: shape ", value.sizes(), ", expected one number");
  if (!value.requires_grad()) return at::zeros_like(x);
  const at::Tensor gradient =
      torch::autograd::grad({value.sum()}, {input}, {}, /*retain_graph=*/differentiable,
                            /*create_graph=*/differentiable, /*allow_unused=*/true)[0];
  return gradient.defined() ? gradient : at::zeros_like(x);
}

OptimalityCondition StationaryCondition(ParametricObjective objective) {
  return [objective = std::move(objective)](const at::Tensor& x, const Parameters& theta) {
    return ObjectiveGradient(objective, x, theta);
  };
}

}  // namespace plumb
