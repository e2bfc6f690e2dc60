#include "alignment/objectives/cpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits CpoTraits(const Cpo&) {
  ObjectiveTraits traits;
  traits.needs_lengths = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kCpo, &ObjectiveConfig::cpo, CpoTraits, CpoLoss);

}  // namespace

LossOutput CpoLoss(const Cpo& config, const PreferenceLogps& logps) {
  const at::Tensor logits = config.beta() * (logps.policy_chosen_logps - logps.policy_rejected_logps);
  const double e = config.label_smoothing();
  LossOutput output;
  output.loss = -(1 - e) * at::log_sigmoid(logits) - e * at::log_sigmoid(-logits) -
                config.cpo_alpha() * AverageLogpsOf(logps).chosen;
  output.rewards_chosen = config.beta() * logps.policy_chosen_logps.detach();
  output.rewards_rejected = config.beta() * logps.policy_rejected_logps.detach();
  return output;
}

}  // namespace plumb
