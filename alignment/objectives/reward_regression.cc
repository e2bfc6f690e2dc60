#include "alignment/objectives/reward_regression.h"

#include <ATen/TensorOperators.h>

#include <vector>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits RewardRegressionTraits(const RewardRegression& config) {
  ObjectiveTraits traits;
  traits.needs_logps = false;
  traits.needs_rewards = true;
  traits.needs_scores = true;
  traits.score_count = config.score_weight_size();
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kRewardRegression, &ObjectiveConfig::reward_regression,
                      RewardRegressionTraits, RewardRegressionLoss);

}  // namespace

LossOutput RewardRegressionLoss(const RewardRegression& config, const PreferenceLogps& logps) {
  std::vector<double> weights(config.score_weight().begin(), config.score_weight().end());
  if (weights.empty()) weights.assign(logps.score_chosen.size(1), 1);
  const at::Tensor chosen = logps.rewards_chosen - WeightedScores(logps.score_chosen, weights);
  const at::Tensor rejected = logps.rewards_rejected - WeightedScores(logps.score_rejected, weights);
  LossOutput output;
  output.loss = (chosen * chosen + rejected * rejected) / 2;
  output.rewards_chosen = logps.rewards_chosen.detach();
  output.rewards_rejected = logps.rewards_rejected.detach();
  return output;
}

}  // namespace plumb
