#include "alignment/objectives/sppo.h"

#include <ATen/TensorOperators.h>

#include "absl/status/status.h"
#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits SppoTraits(const Sppo& config) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_scores = config.win_probabilities() == Sppo::FROM_SCORES;
  traits.score_count = traits.needs_scores ? 1 : 0;
  traits.scores_are_win_probabilities = traits.needs_scores;
  return traits;
}

absl::Status CheckSppo(const Sppo& config) {
  if (config.win_probabilities() == Sppo::FIXED) return absl::OkStatus();
  const Sppo defaults;
  if (config.chosen_win_probability() != defaults.chosen_win_probability()) {
    return absl::InvalidArgumentError("chosen_win_probability: is of FIXED win_probabilities; leave it out");
  }
  if (config.rejected_win_probability() != defaults.rejected_win_probability()) {
    return absl::InvalidArgumentError(
        "rejected_win_probability: is of FIXED win_probabilities; leave it out");
  }
  return absl::OkStatus();
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kSppo, &ObjectiveConfig::sppo, SppoTraits, SppoLoss, CheckSppo);

}  // namespace

LossOutput SppoLoss(const Sppo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  LossOutput output;
  const auto term = [&](const at::Tensor& log_ratio, const at::Tensor& scores, double fixed) {
    if (config.win_probabilities() == Sppo::FIXED)
      return (log_ratio - (fixed - 0.5) / config.beta()).square();
    return (log_ratio - (scores.select(1, 0) - 0.5) / config.beta()).square();
  };
  output.loss = term(ratios.chosen, logps.score_chosen, config.chosen_win_probability()) +
                term(ratios.rejected, logps.score_rejected, config.rejected_win_probability());
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
