#include "alignment/objectives/modpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits ModpoTraits(const Modpo& config) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_scores = true;
  traits.score_count = config.other_weight_size();
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kModpo, &ObjectiveConfig::modpo, ModpoTraits, ModpoLoss);

}  // namespace

LossOutput ModpoLoss(const Modpo& config, const PreferenceLogps& logps) {
  const double w = config.weight();
  const auto reward = [&](const at::Tensor& log_ratios, const at::Tensor& scores) {
    const at::Tensor others = config.other_weight_size() > 0 ? WeightedScores(scores, config.other_weight())
                                                             : (1 - w) * scores.mean(/*dim=*/1);
    return (config.beta() * log_ratios - others) / w;
  };
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor chosen = reward(ratios.chosen, logps.score_chosen);
  const at::Tensor rejected = reward(ratios.rejected, logps.score_rejected);
  LossOutput output;
  output.loss = -at::log_sigmoid(chosen - rejected);
  output.rewards_chosen = chosen.detach();
  output.rewards_rejected = rejected.detach();
  return output;
}

}  // namespace plumb
