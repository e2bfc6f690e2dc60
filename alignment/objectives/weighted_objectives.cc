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

// Of answers that come one by one, under the names of TRL's KTOTrainer.
void AddRewardsByLabel(const at::Tensor& rewards, const at::Tensor& label, const LossTotals& totals,
                       MetricSums* metrics) {
  const at::Tensor good = (label > 0.5).to(rewards.scalar_type());
  const auto count = static_cast<double>(rewards.numel());
  const auto good_sum = (good * rewards).sum().item<double>();
  const auto bad_sum = ((1 - good) * rewards).sum().item<double>();
  AddMeansByLabel("rewards", rewards, good, metrics);
  const double bad_examples = totals.examples - totals.good_examples;
  if (totals.good_examples == 0 || bad_examples == 0) return;
  metrics->Add("rewards/margins", good_sum / totals.good_examples - bad_sum / bad_examples,
               count / totals.examples);
}

absl::Status DoNotGoTogether(const Objective& first, const Objective& second, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("objective: ", first.name(), " and ", second.name(),
                                                 " do not go together: one ", why, "; make them two stages"));
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
  all->needs_gold |= traits.needs_gold;
  all->needs_token_mask |= traits.needs_token_mask;
  all->needs_scores |= traits.needs_scores;
  all->needs_label |= traits.needs_label;
  if (all->baseline == Baseline::kNone) all->baseline = traits.baseline;
  all->scores_are_win_probabilities |= traits.scores_are_win_probabilities;
  if (all->score_count == 0) all->score_count = traits.score_count;
  all->couples_examples |= traits.couples_examples;
  all->mean_over_tokens |= traits.mean_over_tokens;
}

}  // namespace

void AddMean(const std::string& name, const at::Tensor& values, MetricSums* metrics) {
  metrics->Add(name, values.sum().item<double>(), static_cast<double>(values.numel()));
}

void AddMeansByLabel(const std::string& name, const at::Tensor& values, const at::Tensor& is_good,
                     MetricSums* metrics) {
  const at::Tensor good = is_good.to(at::kDouble);
  const auto good_count = good.sum().item<double>();
  metrics->Add(name + "/chosen", (good * values).sum().item<double>(), good_count);
  metrics->Add(name + "/rejected", ((1 - good) * values).sum().item<double>(),
               static_cast<double>(values.numel()) - good_count);
}

absl::StatusOr<WeightedObjectives> WeightedObjectives::Create(
    const google::protobuf::RepeatedPtrField<ObjectiveConfig>& configs) {
  WeightedObjectives all;
  for (const ObjectiveConfig& config : configs) {
    PLUMB_ASSIGN_OR_RETURN(Objective objective, Objective::Create(config));
    if (all.objectives_.empty()) {
      all.traits_ = objective.traits();
    } else {
      const ObjectiveTraits &own = objective.traits(), &others = all.traits_;
      const Objective& first = all.objectives_.front();
      if (own.needs_rewards != others.needs_rewards) {
        return DoNotGoTogether(first, objective,
                               "works on the scores of a reward model, the other on log-probabilities");
      }
      if (own.needs_label != others.needs_label) {
        return DoNotGoTogether(first, objective, "learns from answers with labels, the other does not");
      }
      if (own.baseline != others.baseline && own.baseline != Baseline::kNone &&
          others.baseline != Baseline::kNone) {
        return DoNotGoTogether(first, objective,
                               "compares rewards with an estimate of the KL divergence, the other with their "
                               "running mean");
      }
    }
    if (const int64_t own = objective.traits().score_count, others = all.traits_.score_count;
        own != 0 && others != 0 && own != others) {
      return absl::InvalidArgumentError(absl::StrCat("objective: ", objective.name(), " has weights for ",
                                                     own, " scores, another one for ", others));
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
    const at::Tensor losses = logps.weight.defined() ? output.loss * logps.weight : output.loss;
    const at::Tensor mean = objective.traits().mean_over_tokens
                                ? (losses * logps.chosen_length).sum() / totals.chosen_tokens
                                : losses.sum() / totals.examples;
    total = total.defined() ? total + objective.weight() * mean : objective.weight() * mean;
    examples = static_cast<double>(output.loss.numel());
    if (objectives_.size() > 1) {
      metrics->Add("loss/" + objective.name(), mean.item<double>(), examples / totals.examples);
    }
    if (output.rewards_chosen.defined() && !has_rewards) {
      has_rewards = true;
      if (traits_.needs_label) {
        AddRewardsByLabel(output.rewards_chosen, logps.label, totals, metrics);
      } else {
        AddRewards(output, traits_.needs_rewards, metrics);
      }
    }
    for (const auto& [name, values] : output.metrics) AddMean(name, values, metrics);
  }
  metrics->Add("loss", total.item<double>(), examples / totals.examples);
  return total;
}

}  // namespace plumb
