#include "alignment/objectives/kto.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>

namespace plumb {
namespace {

ObjectiveTraits KtoTraits(const Kto&) {
  ObjectiveTraits traits;
  traits.needs_rejected = false;
  traits.needs_reference = true;
  traits.needs_label = true;
  traits.baseline = Baseline::kMismatchedKl;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kKto, &ObjectiveConfig::kto, KtoTraits, KtoLoss);

}  // namespace

LossOutput KtoLoss(const Kto& config, const PreferenceLogps& logps) {
  const at::Tensor ratios = logps.policy_chosen_logps - logps.reference_chosen_logps;
  const at::Tensor logits = config.beta() * (ratios - logps.baseline);
  // 1 - s(x) = s(-x) keeps its digits where s(x) is near 1.
  LossOutput output;
  output.loss = at::where(logps.label > 0.5, config.desirable_weight() * at::sigmoid(-logits),
                          config.undesirable_weight() * at::sigmoid(logits));
  output.rewards_chosen = config.beta() * ratios.detach();
  output.metrics = {{"kl", logps.baseline.detach()}};
  return output;
}

}  // namespace plumb
