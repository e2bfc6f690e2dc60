#include "alignment/objectives/dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

namespace plumb {
namespace {

ObjectiveTraits DpoTraits(const Dpo& config) {
  ObjectiveTraits traits;
  traits.needs_reference = !config.reference_free();
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kDpo, &ObjectiveConfig::dpo, DpoTraits, DpoLoss);

}  // namespace

LossOutput DpoLoss(const Dpo& config, const PreferenceLogps& logps) {
  at::Tensor chosen = logps.policy_chosen_logps;
  at::Tensor rejected = logps.policy_rejected_logps;
  if (!config.reference_free()) {
    chosen = chosen - logps.reference_chosen_logps;
    rejected = rejected - logps.reference_rejected_logps;
  }
  const at::Tensor logits = config.beta() * (chosen - rejected);

  LossOutput output;
  output.loss = -at::log_sigmoid(logits);
  if (const double e = config.label_smoothing(); e > 0) {
    output.loss = (1 - e) * output.loss - e * at::log_sigmoid(-logits);
  }
  output.rewards_chosen = config.beta() * chosen.detach();
  output.rewards_rejected = config.beta() * rejected.detach();
  return output;
}

}  // namespace plumb
