#include "alignment/objectives/apo_zero_unpaired.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>

namespace plumb {
namespace {

ObjectiveTraits ApoZeroUnpairedTraits(const ApoZeroUnpaired&) {
  ObjectiveTraits traits;
  traits.needs_rejected = false;
  traits.needs_reference = true;
  traits.needs_label = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kApoZeroUnpaired, &ObjectiveConfig::apo_zero_unpaired,
                      ApoZeroUnpairedTraits, ApoZeroUnpairedLoss);

}  // namespace

LossOutput ApoZeroUnpairedLoss(const ApoZeroUnpaired& config, const PreferenceLogps& logps) {
  const at::Tensor logits = config.beta() * (logps.policy_chosen_logps - logps.reference_chosen_logps);
  LossOutput output;
  output.loss = at::where(logps.label > 0.5, config.desirable_weight() * at::sigmoid(-logits),
                          config.undesirable_weight() * at::sigmoid(logits));
  output.rewards_chosen = logits.detach();
  return output;
}

}  // namespace plumb
