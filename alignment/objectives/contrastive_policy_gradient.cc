#include "alignment/objectives/contrastive_policy_gradient.h"

#include <ATen/TensorOperators.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits ContrastivePolicyGradientTraits(const ContrastivePolicyGradient& config) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_scores = true;
  traits.score_count = config.score_weight_size();
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kContrastivePolicyGradient,
                                           &ObjectiveConfig::contrastive_policy_gradient,
                                           ContrastivePolicyGradientTraits, ContrastivePolicyGradientLoss);

}  // namespace

LossOutput ContrastivePolicyGradientLoss(const ContrastivePolicyGradient& config,
                                         const PreferenceLogps& logps) {
  const auto reward = [&](const at::Tensor& scores) {
    return config.score_weight_size() > 0 ? WeightedScores(scores, config.score_weight())
                                          : scores.sum(/*dim=*/1);
  };
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor difference = reward(logps.score_chosen) - reward(logps.score_rejected) -
                                config.beta() * (ratios.chosen - ratios.rejected);
  LossOutput output;
  output.loss = difference.square() / (2 * config.beta());
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
