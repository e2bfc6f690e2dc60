#include "alignment/objectives/reward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

namespace plumb {
namespace {

ObjectiveTraits RewardTraits(const RewardModelling&) {
  ObjectiveTraits traits;
  traits.needs_logps = false;
  traits.needs_rewards = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kReward, &ObjectiveConfig::reward, RewardTraits, RewardLoss);

}  // namespace

LossOutput RewardLoss(const RewardModelling& config, const PreferenceLogps& logps) {
  at::Tensor difference = logps.rewards_chosen - logps.rewards_rejected;
  if (logps.margin.defined()) difference = difference - logps.margin;

  LossOutput output;
  output.loss = -at::log_sigmoid(difference);
  if (const double c = config.center_rewards_coefficient(); c > 0) {
    output.loss = output.loss + c * (logps.rewards_chosen + logps.rewards_rejected).square();
  }
  output.rewards_chosen = logps.rewards_chosen.detach();
  output.rewards_rejected = logps.rewards_rejected.detach();
  return output;
}

}  // namespace plumb
