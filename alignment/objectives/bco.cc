#include "alignment/objectives/bco.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/where.h>

namespace plumb {
namespace {

ObjectiveTraits BcoTraits(const Bco&) {
  ObjectiveTraits traits;
  traits.needs_rejected = false;
  traits.needs_reference = true;
  traits.needs_label = true;
  traits.baseline = Baseline::kRunningMean;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kBco, &ObjectiveConfig::bco, BcoTraits, BcoLoss);

}  // namespace

LossOutput BcoLoss(const Bco& config, const PreferenceLogps& logps) {
  const at::Tensor ratios = logps.policy_chosen_logps - logps.reference_chosen_logps;
  const at::Tensor logits = config.beta() * (ratios - logps.baseline);
  LossOutput output;
  output.loss = -at::log_sigmoid(at::where(logps.label > 0.5, logits, -logits));
  output.rewards_chosen = config.beta() * ratios.detach();
  output.metrics = {{"delta", config.beta() * logps.baseline.detach()}};
  return output;
}

}  // namespace plumb
