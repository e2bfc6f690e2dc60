#include "alignment/objectives/mask_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits MaskDpoTraits(const MaskDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_token_logps = true;
  traits.needs_token_mask = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kMaskDpo, &ObjectiveConfig::mask_dpo, MaskDpoTraits, MaskDpoLoss);

}  // namespace

LossOutput MaskDpoLoss(const MaskDpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = {SumOverAnswers(logps.chosen_token_mask * (logps.policy_chosen_token_logps -
                                                                      logps.reference_chosen_token_logps),
                                           logps.chosen_length),
                            SumOverAnswers(logps.rejected_token_mask * (logps.policy_rejected_token_logps -
                                                                        logps.reference_rejected_token_logps),
                                           logps.rejected_length)};
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (ratios.chosen - ratios.rejected));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
