#include "alignment/objectives/aot.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sort.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits AotTraits(const Aot&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.couples_examples = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kAot, &ObjectiveConfig::aot, AotTraits, AotLoss);

}  // namespace

LossOutput AotLoss(const Aot& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const auto sorted = [](const at::Tensor& values) { return std::get<0>(at::sort(values)); };
  const at::Tensor delta = config.pairing() == Aot::PAIRED
                               ? sorted(logps.policy_chosen_logps - logps.policy_rejected_logps) -
                                     sorted(logps.reference_chosen_logps - logps.reference_rejected_logps)
                               : sorted(ratios.chosen) - sorted(ratios.rejected);
  const at::Tensor logits = config.beta() * delta;
  const double e = config.label_smoothing();
  LossOutput output;
  output.loss = -(1 - e) * at::log_sigmoid(logits) - e * at::log_sigmoid(-logits);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
