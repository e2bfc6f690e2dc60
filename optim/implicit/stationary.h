#ifndef PLUMB_OPTIM_IMPLICIT_STATIONARY_H_
#define PLUMB_OPTIM_IMPLICIT_STATIONARY_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/implicit_differentiation.h"

namespace plumb {

// f(x, theta), a number, of operators that autograd knows.
using ParametricObjective = std::function<at::Tensor(const at::Tensor& x, const Parameters& theta)>;

// The gradient of f by x, [N], itself differentiable where x or theta are.
at::Tensor ObjectiveGradient(const ParametricObjective& objective, const at::Tensor& x,
                             const Parameters& theta);

// x* = argmin f(x, theta) without constraints: F = grad f (Blondel et al. 2022, table 1). d1F is the Hessian,
// so conjugate gradients fit where f is strongly convex.
OptimalityCondition StationaryCondition(ParametricObjective objective);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_STATIONARY_H_
