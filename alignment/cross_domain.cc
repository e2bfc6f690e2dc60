#include "alignment/cross_domain.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <optional>

#include "common/status/status_macros.h"

namespace plumb {

void CrossDomainModules::StartDomain(absl::Span<const NamedParameter> parameters) {
  const at::NoGradGuard no_grad;
  if (start_.empty()) {
    for (const NamedParameter& parameter : parameters) start_.push_back(parameter.tensor.detach().clone());
    return;
  }
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].tensor.detach().copy_(start_[i]);
}

void CrossDomainModules::Set(const CombinationWeights& weights, const std::vector<at::Tensor>& changes,
                             absl::Span<const NamedParameter> parameters) const {
  for (size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].tensor.detach().copy_(start_[i].to(at::kDouble) + weights.before * combined_[i] +
                                        weights.now * changes[i]);
  }
}

absl::StatusOr<CombinationWeights> CrossDomainModules::EndDomain(
    int64_t grid_steps, const std::function<absl::StatusOr<double>()>& memory_loss,
    absl::Span<const NamedParameter> parameters) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> changes;
  for (size_t i = 0; i < parameters.size(); ++i) {
    changes.push_back(parameters[i].tensor.detach().to(at::kDouble) - start_[i].to(at::kDouble));
  }
  if (combined_.empty()) {
    combined_ = std::move(changes);
    return CombinationWeights{0, 1};
  }
  CombinationWeights best;
  std::optional<double> least;
  const auto steps = static_cast<double>(grid_steps);
  for (int64_t now = grid_steps; now >= 0; --now) {
    for (int64_t before = grid_steps; before >= 0; --before) {
      const CombinationWeights weights = {static_cast<double>(before) / steps,
                                          static_cast<double>(now) / steps};
      Set(weights, changes, parameters);
      PLUMB_ASSIGN_OR_RETURN(const double loss, memory_loss());
      if (least.has_value() && loss >= *least) continue;
      least = loss;
      best = weights;
    }
  }
  Set(best, changes, parameters);
  for (size_t i = 0; i < changes.size(); ++i) {
    combined_[i] = best.before * combined_[i] + best.now * changes[i];
  }
  return best;
}

void CrossDomainModules::Clear() {
  start_.clear();
  combined_.clear();
}

}  // namespace plumb
