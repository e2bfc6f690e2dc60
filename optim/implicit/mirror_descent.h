#ifndef PLUMB_OPTIM_IMPLICIT_MIRROR_DESCENT_H_
#define PLUMB_OPTIM_IMPLICIT_MIRROR_DESCENT_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/fixed_point.h"
#include "optim/implicit/stationary.h"

namespace plumb {

// A geometry: the gradient of its generating function phi, and the projection from the dual space,
//   argmax over C(theta) of <y, z> - phi(z).
struct MirrorMap {
  std::function<at::Tensor(const at::Tensor& x)> to_dual;
  std::function<at::Tensor(const at::Tensor& y, const Parameters& theta)> project;
};

// phi(x) = sum of x log x over the simplex: to_dual is the logarithm, and the projection a softmax, which
// needs no sorting and is smooth. For x: [N], rows of `columns` elements each on a simplex of its own.
MirrorMap KullbackLeiblerGeometry(int64_t columns);

// phi(x) = |x|^2 / 2: mirror descent is projected gradient descent.
MirrorMap EuclideanGeometry(std::function<at::Tensor(const at::Tensor& y, const Parameters& theta)> project);

// x* = argmin f(x, theta) over C(theta), in the interior of phi's domain, is the fixed point of
//   T = project(to_dual(x) - step grad f(x, theta), theta)
// for every step > 0 (Blondel et al. 2022, table 1).
FixedPointMap MirrorDescentMap(ParametricObjective f, MirrorMap geometry, double step);
OptimalityCondition MirrorDescentCondition(ParametricObjective f, MirrorMap geometry, double step = 1);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_MIRROR_DESCENT_H_
