#include "optim/implicit/newton.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/stack.h>

#include <utility>
#include <vector>

namespace plumb {

OptimalityCondition NewtonCondition(OptimalityCondition g, double step) {
  return [g = std::move(g), step](const at::Tensor& x, const Parameters& theta) {
    const auto linear = LinearizedCondition::At(g, x, theta);
    TORCH_CHECK(linear.ok(), linear.status().message());
    const at::Tensor identity = at::eye(x.size(0), x.options().requires_grad(false));
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < x.size(0); ++i) rows.push_back(linear->InXTransposed(identity[i]));
    return step * at::linalg_solve(at::stack(rows), g(x, theta));
  };
}

}  // namespace plumb
