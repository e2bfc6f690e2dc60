#include "optim/bayesian/multi_fidelity.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log.h>
#include <ATen/ops/ones.h>

#include <utility>

namespace plumb {

Evaluation PerCost::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  Evaluation result = logarithm_->Evaluate(groups, with_gradients);
  const at::Tensor cost = cost_.fixed + cost_.weight * groups.select(1, cost_.coordinate);
  result.values = result.values - at::log(cost);
  if (with_gradients) result.gradients.select(1, cost_.coordinate).sub_(cost_.weight / cost);
  return result;
}

at::Tensor AtHighestFidelity(const at::Tensor& points, int64_t coordinate) {
  at::Tensor highest = points.clone();
  highest.select(1, coordinate).fill_(1);
  return highest;
}

at::Tensor FidelityGradient(const at::Tensor& of_both, int64_t coordinate) {
  at::Tensor of_highest = of_both.select(1, 1).clone();
  of_highest.select(1, coordinate).fill_(0);
  return of_both.select(1, 0) + of_highest;
}

std::unique_ptr<Acquisition> MultiFidelityKnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                                            const at::Tensor& candidates,
                                                            const FidelityCost& cost) {
  const at::Tensor highest = AtHighestFidelity(candidates, cost.coordinate);
  return std::make_unique<PerCost>(
      std::make_unique<KnowledgeGradient>(std::move(model), highest.unsqueeze(1), at::ones({1}, at::kDouble)),
      cost);
}

}  // namespace plumb
