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

std::unique_ptr<Acquisition> MultiFidelityKnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                                            const at::Tensor& candidates,
                                                            const FidelityCost& cost) {
  at::Tensor highest = candidates.clone();
  highest.select(1, cost.coordinate).fill_(1);
  return std::make_unique<PerCost>(
      std::make_unique<KnowledgeGradient>(std::move(model), highest.unsqueeze(1), at::ones({1}, at::kDouble)),
      cost);
}

}  // namespace plumb
