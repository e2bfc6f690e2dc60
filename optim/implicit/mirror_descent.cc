#include "optim/implicit/mirror_descent.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log.h>
#include <ATen/ops/softmax.h>

#include <utility>

namespace plumb {

MirrorMap KullbackLeiblerGeometry(int64_t columns) {
  return {[](const at::Tensor& x) { return at::log(x); },
          [columns](const at::Tensor& y, const Parameters&) {
            return at::softmax(y.view({-1, columns}), 1).flatten();
          }};
}

MirrorMap EuclideanGeometry(std::function<at::Tensor(const at::Tensor& y, const Parameters& theta)> project) {
  return {[](const at::Tensor& x) { return x; }, std::move(project)};
}

FixedPointMap MirrorDescentMap(ParametricObjective f, MirrorMap geometry, double step) {
  return
      [f = std::move(f), geometry = std::move(geometry), step](const at::Tensor& x, const Parameters& theta) {
        return geometry.project(geometry.to_dual(x) - step * ObjectiveGradient(f, x, theta), theta);
      };
}

OptimalityCondition MirrorDescentCondition(ParametricObjective f, MirrorMap geometry, double step) {
  return FixedPointCondition(MirrorDescentMap(std::move(f), std::move(geometry), step));
}

}  // namespace plumb
