#include "alignment/objectives/orpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits OrpoTraits(const Orpo&) {
  ObjectiveTraits traits;
  traits.needs_lengths = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kOrpo, &ObjectiveConfig::orpo, OrpoTraits, OrpoLoss);

}  // namespace

LossOutput OrpoLoss(const Orpo& config, const PreferenceLogps& logps) {
  const AverageLogps averages = AverageLogpsOf(logps);
  LossOutput output;
  output.loss = -averages.chosen -
                config.beta() * at::log_sigmoid(LogOdds(averages.chosen) - LogOdds(averages.rejected));
  output.rewards_chosen = config.beta() * averages.chosen.detach();
  output.rewards_rejected = config.beta() * averages.rejected.detach();
  return output;
}

}  // namespace plumb
