#ifndef PLUMB_OPTIM_IMPLICIT_FIXED_POINT_H_
#define PLUMB_OPTIM_IMPLICIT_FIXED_POINT_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/implicit_differentiation.h"

namespace plumb {

// T(x, theta): [N] -> [N], of operators that autograd knows.
using FixedPointMap = std::function<at::Tensor(const at::Tensor& x, const Parameters& theta)>;

// x* = T(x*, theta): F = x - T (Blondel et al. 2022, with the other sign, so that d1F = I - d1T is
// positive definite for a symmetric contraction).
OptimalityCondition FixedPointCondition(FixedPointMap map);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_FIXED_POINT_H_
