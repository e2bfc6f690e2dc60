#include "optim/implicit/kkt.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <utility>
#include <vector>

namespace plumb {

OptimalityCondition KktCondition(ConstrainedParametricProblem problem) {
  return [problem = std::move(problem)](const at::Tensor& x, const Parameters& theta) {
    const int64_t d = problem.variables, p = problem.equalities, m = problem.inequalities;
    TORCH_CHECK(x.dim() == 1 && x.size(0) == d + p + m, "KktCondition: x ", x.sizes(), ", expected [", d,
                " + ", p, " + ", m, "]: variables, equalities, inequalities");
    const at::Tensor z = x.narrow(0, 0, d), nu = x.narrow(0, d, p), lambda = x.narrow(0, d + p, m);
    const ParametricObjective lagrangian = [&](const at::Tensor& at, const Parameters& parameters) {
      at::Tensor value = problem.objective(at, parameters);
      if (p > 0) value = value + (nu * problem.equality(at, parameters)).sum();
      if (m > 0) value = value + (lambda * problem.inequality(at, parameters)).sum();
      return value;
    };
    std::vector<at::Tensor> parts = {ObjectiveGradient(lagrangian, z, theta)};
    if (p > 0) parts.push_back(problem.equality(z, theta));
    if (m > 0) parts.push_back(lambda * problem.inequality(z, theta));
    return at::cat(parts);
  };
}

at::Tensor JoinKkt(const at::Tensor& z, const at::Tensor& nu, const at::Tensor& lambda) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : {z, nu, lambda}) {
    if (part.defined()) parts.push_back(part);
  }
  return at::cat(parts);
}

}  // namespace plumb
