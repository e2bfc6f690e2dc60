#include "alignment/objectives/robust_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits RobustDpoTraits(const RobustDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kRobustDpo, &ObjectiveConfig::robust_dpo,
                                           RobustDpoTraits, RobustDpoLoss);

}  // namespace

LossOutput RobustDpoLoss(const RobustDpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor logits = config.beta() * (ratios.chosen - ratios.rejected);
  const double e = config.label_smoothing();
  LossOutput output;
  output.loss = (e * at::log_sigmoid(-logits) - (1 - e) * at::log_sigmoid(logits)) / (1 - 2 * e);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
