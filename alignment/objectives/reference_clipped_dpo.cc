#include "alignment/objectives/reference_clipped_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/relu.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits ReferenceClippedDpoTraits(const ReferenceClippedDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kReferenceClippedDpo, &ObjectiveConfig::reference_clipped_dpo,
                      ReferenceClippedDpoTraits, ReferenceClippedDpoLoss);

}  // namespace

LossOutput ReferenceClippedDpoLoss(const ReferenceClippedDpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor policy = logps.policy_chosen_logps - logps.policy_rejected_logps;
  const at::Tensor reference = logps.reference_chosen_logps - logps.reference_rejected_logps;
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (policy - at::relu(reference)));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
