#include "optim/bayesian/multi_fidelity_bound.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <cstdint>
#include <utility>

#include "optim/bayesian/confidence_bound.h"

namespace plumb {

MultiFidelityBound::MultiFidelityBound(std::shared_ptr<const GaussianProcess> model, double beta,
                                       const FidelityCost& cost, std::vector<double> fidelities)
    : model_(std::move(model)),
      beta_(beta),
      cost_(cost),
      fidelities_(std::move(fidelities)),
      bound_(model_, LowerConfidenceBound(beta)) {}

Evaluation MultiFidelityBound::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  Evaluation result = bound_.Evaluate(AtHighestFidelity(groups, cost_.coordinate), with_gradients);
  if (with_gradients) result.gradients.select(1, cost_.coordinate).fill_(0);
  return result;
}

at::Tensor MultiFidelityBound::Chosen(const at::Tensor& best) const {
  const at::Tensor highest = AtHighestFidelity(best, cost_.coordinate);
  const int64_t count = fidelities_.size(), dimension = model_->dimension();
  const at::Tensor candidates = highest.repeat({count, 1});
  candidates.select(1, cost_.coordinate).copy_(at::tensor(fidelities_, at::kDouble));
  const at::Tensor variances = model_->prior().Variances(candidates),
                   covariances = model_->Covariances(candidates, highest, nullptr).select(1, 0);
  const double highest_variance = model_->prior().Variances(highest).item<double>();
  const at::Tensor gaps =
      (1 - covariances.square() / (variances * highest_variance)).clamp_min(0).sqrt().contiguous();
  const at::Tensor unknown = model_->Posterior(candidates.unsqueeze(1), /*with_gradients=*/false).covariances;
  const double most = gaps.max().item<double>(), highest_cost = cost_.fixed + cost_.weight;
  double chosen = 1;
  for (int64_t i = count - 1; i >= 0; --i) {
    const double gap = gaps.const_data_ptr<double>()[i], cost = cost_.fixed + cost_.weight * fidelities_[i];
    const double sigma = StandardDeviation(unknown.const_data_ptr<double>()[i], *model_);
    const double threshold = std::sqrt(variances.const_data_ptr<double>()[i]) * gap *
                             std::pow(cost / highest_cost, 1.0 / (dimension + 2));
    if (cost < highest_cost && sigma > threshold && gap * std::sqrt(beta_) > most) chosen = fidelities_[i];
  }
  at::Tensor point = highest.clone();
  point.select(1, cost_.coordinate).fill_(chosen);
  return point;
}

}  // namespace plumb
