#include "alignment/objectives/weighted_objectives.h"

#include <ATen/TensorOperators.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// Under the names of TRL's DPOTrainer, or of its RewardTrainer where a model gives the rewards.
void AddRewards(const LossOutput& output, bool of_reward_model, MetricSums* metrics) {
  const at::Tensor margins = output.rewards_chosen - output.rewards_rejected;
  if (of_reward_model) {
    AddMean("margin", margins, metrics);
    AddMean("accuracy", (margins > 0).to(at::kDouble), metrics);
    return;
  }
  AddMean("rewards/chosen", output.rewards_chosen, metrics);
  AddMean("rewards/rejected", output.rewards_rejected, metrics);
  AddMean("rewards/margins", margins, metrics);
  AddMean("rewards/accuracies", (margins > 0).to(at::kDouble), metrics);
}

// The union: an input is computed when one objective needs it.
void Merge(const ObjectiveTraits& traits, ObjectiveTraits* all) {
  all->needs_logps |= traits.needs_logps;
  all->needs_rejected |= traits.needs_rejected;
  all->needs_reference |= traits.needs_reference;
  all->needs_lengths |= traits.needs_lengths;
  all->needs_rewards |= traits.needs_rewards;
  all->needs_token_logps |= traits.needs_token_logps;
  all->needs_vocab_divergence |= traits.needs_vocab_divergence;
  all->mean_over_tokens |= traits.mean_over_tokens;
}

}  // namespace

void AddMean(const std::string& name, const at::Tensor& values, MetricSums* metrics) {
  metrics->Add(name, values.sum().item<double>(), static_cast<double>(values.numel()));
}

absl::StatusOr<WeightedObjectives> WeightedObjectives::Create(
    const google::protobuf::RepeatedPtrField<ObjectiveConfig>& configs) {
  WeightedObjectives all;
  for (const ObjectiveConfig& config : configs) {
    PLUMB_ASSIGN_OR_RETURN(Objective objective, Objective::Create(config));
    if (all.objectives_.empty()) {
      all.traits_ = objective.traits();
    } else if (objective.traits().needs_rewards != all.traits_.needs_rewards) {
      return absl::InvalidArgumentError(absl::StrCat("objective: ", all.objectives_.front().name(), " and ",
                                                     objective.name(),
                                                     " do not go together: one works on the scores of a "
                                                     "reward model, the other on log-probabilities; make "
                                                     "them two stages"));
    }
    Merge(objective.traits(), &all.traits_);
    all.objectives_.push_back(std::move(objective));
  }
  if (all.objectives_.empty()) return absl::InvalidArgumentError("objective: a stage needs at least one");
  return all;
}

at::Tensor WeightedObjectives::Compute(const PreferenceLogps& logps, const LossTotals& totals,
                                       MetricSums* metrics) const {
  at::Tensor total;
  double examples = 0;
  bool has_rewards = false;
  for (const Objective& objective : objectives_) {
    const LossOutput output = objective.Compute(logps);
    const at::Tensor mean = objective.traits().mean_over_tokens
                                ? (output.loss * logps.chosen_length).sum() / totals.chosen_tokens
                                : output.loss.sum() / totals.examples;
    total = total.defined() ? total + objective.weight() * mean : objective.weight() * mean;
    examples = static_cast<double>(output.loss.numel());
    if (objectives_.size() > 1) {
      metrics->Add("loss/" + objective.name(), mean.item<double>(), examples / totals.examples);
    }
    if (output.rewards_chosen.defined() && !has_rewards) {
      has_rewards = true;
      AddRewards(output, traits_.needs_rewards, metrics);
    }
    for (const auto& [name, values] : output.metrics) AddMean(name, values, metrics);
  }
  metrics->Add("loss", total.item<double>(), examples / totals.examples);
  return total;
}

}  // namespace plumb
