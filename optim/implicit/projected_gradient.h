#ifndef PLUMB_OPTIM_IMPLICIT_PROJECTED_GRADIENT_H_
#define PLUMB_OPTIM_IMPLICIT_PROJECTED_GRADIENT_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/fixed_point.h"
#include "optim/implicit/stationary.h"

namespace plumb {

// The point of the set C(theta) that is nearest to y (projections.h has some).
using Projection = std::function<at::Tensor(const at::Tensor& y, const Parameters& theta)>;

// x* = argmin f(x, theta) over the convex set C(theta) is the fixed point of
//   T = proj_C(x - step grad f(x, theta), theta)
// for every step > 0 (Blondel et al. 2022, table 1).
FixedPointMap ProjectedGradientMap(ParametricObjective f, Projection projection, double step);
OptimalityCondition ProjectedGradientCondition(ParametricObjective f, Projection projection, double step = 1);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_PROJECTED_GRADIENT_H_
