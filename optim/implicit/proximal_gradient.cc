#include "optim/implicit/proximal_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <utility>

namespace plumb {

FixedPointMap ProximalGradientMap(ParametricObjective f, ProximalOperator proximal, double step) {
  return
      [f = std::move(f), proximal = std::move(proximal), step](const at::Tensor& x, const Parameters& theta) {
        return proximal(x - step * ObjectiveGradient(f, x, theta), theta, step);
      };
}

OptimalityCondition ProximalGradientCondition(ParametricObjective f, ProximalOperator proximal, double step) {
  return FixedPointCondition(ProximalGradientMap(std::move(f), std::move(proximal), step));
}

ProximalOperator SoftThreshold(int parameter) {
  return [parameter](const at::Tensor& y, const Parameters& theta, double step) {
    const at::Tensor threshold = step * theta.at(parameter);
    return y.sign() * (y.abs() - threshold).clamp_min(0);
  };
}

ProximalOperator GroupSoftThreshold(int parameter, int64_t size) {
  return [parameter, size](const at::Tensor& y, const Parameters& theta, double step) {
    const at::Tensor groups = y.reshape({-1, size}), threshold = step * theta.at(parameter);
    const at::Tensor squares = groups.square().sum(1, /*keepdim=*/true);
    // Groups that vanish must not pass their square root's slope on, which is infinite at zero.
    const at::Tensor kept = squares > threshold.square();
    const at::Tensor length = at::where(kept, squares, at::zeros_like(squares) + 1).sqrt();
    return at::where(kept, groups * (1 - threshold / length), at::zeros_like(groups)).flatten();
  };
}

}  // namespace plumb
