#include "alignment/objectives/tpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits TpoTraits(const Tpo& config) {
  ObjectiveTraits traits;
  traits.needs_lengths = config.version() == Tpo::TPO_L;
  traits.needs_gold = config.tpo_alpha() > 0;
  return traits;
}

absl::Status CheckTpo(const Tpo& config) {
  if (config.version() == Tpo::TPO && config.tpo_l_gamma() != Tpo().tpo_l_gamma()) {
    return absl::InvalidArgumentError("tpo_l_gamma: is of version TPO_L; leave it out");
  }
  return absl::OkStatus();
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kTpo, &ObjectiveConfig::tpo, TpoTraits, TpoLoss, CheckTpo);

}  // namespace

LossOutput TpoLoss(const Tpo& config, const PreferenceLogps& logps) {
  const bool per_token = config.version() == Tpo::TPO_L;
  const AverageLogps scores = per_token
                                  ? AverageLogpsOf(logps)
                                  : AverageLogps{logps.policy_chosen_logps, logps.policy_rejected_logps};
  const double gamma = per_token ? config.tpo_l_gamma() : 0;
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (scores.chosen - scores.rejected) - gamma);
  if (config.tpo_alpha() > 0) {
    output.loss = output.loss - config.tpo_alpha() * logps.policy_gold_logps / logps.gold_length;
  }
  output.rewards_chosen = config.beta() * scores.chosen.detach();
  output.rewards_rejected = config.beta() * scores.rejected.detach();
  return output;
}

}  // namespace plumb
