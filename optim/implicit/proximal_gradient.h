#ifndef PLUMB_OPTIM_IMPLICIT_PROXIMAL_GRADIENT_H_
#define PLUMB_OPTIM_IMPLICIT_PROXIMAL_GRADIENT_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/fixed_point.h"
#include "optim/implicit/stationary.h"

namespace plumb {

// argmin_z |z - y|^2 / 2 + step g(z, theta), [N].
using ProximalOperator = std::function<at::Tensor(const at::Tensor& y, const Parameters& theta, double step)>;

// x* = argmin f(x, theta) + g(x, theta), g perhaps not smooth, is the fixed point of
//   T = prox_{step g}(x - step grad f(x, theta), theta)
// for every step > 0 (Blondel et al. 2022, table 1). d1F is not symmetric in general.
FixedPointMap ProximalGradientMap(ParametricObjective f, ProximalOperator proximal, double step);
OptimalityCondition ProximalGradientCondition(ParametricObjective f, ProximalOperator proximal,
                                              double step = 1);

// g = lambda |x|_1: soft thresholding, the lasso. lambda, [] or [N], is theta[parameter].
ProximalOperator SoftThreshold(int parameter);

// g = lambda sum over consecutive groups of `size` elements of their length: the group lasso. lambda, [], is
// theta[parameter].
ProximalOperator GroupSoftThreshold(int parameter, int64_t size);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_PROXIMAL_GRADIENT_H_
