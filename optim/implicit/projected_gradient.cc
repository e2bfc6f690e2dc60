#include "optim/implicit/projected_gradient.h"

#include <ATen/TensorOperators.h>

#include <utility>

namespace plumb {

FixedPointMap ProjectedGradientMap(ParametricObjective f, Projection projection, double step) {
  return [f = std::move(f), projection = std::move(projection), step](const at::Tensor& x,
                                                                      const Parameters& theta) {
    return projection(x - step * ObjectiveGradient(f, x, theta), theta);
  };
}

OptimalityCondition ProjectedGradientCondition(ParametricObjective f, Projection projection, double step) {
  return FixedPointCondition(ProjectedGradientMap(std::move(f), std::move(projection), step));
}

}  // namespace plumb
