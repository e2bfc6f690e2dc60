#include "optim/implicit/fixed_point.h"

#include <ATen/TensorOperators.h>

#include <utility>

namespace plumb {

OptimalityCondition FixedPointCondition(FixedPointMap map) {
  return [map = std::move(map)](const at::Tensor& x, const Parameters& theta) { return x - map(x, theta); };
}

}  // namespace plumb
