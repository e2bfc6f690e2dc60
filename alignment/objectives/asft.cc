#include "alignment/objectives/asft.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits AsftTraits(const Asft&) {
  ObjectiveTraits traits;
  traits.needs_lengths = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kAsft, &ObjectiveConfig::asft, AsftTraits, AsftLoss);

}  // namespace

LossOutput AsftLoss(const Asft& config, const PreferenceLogps& logps) {
  const AverageLogps averages = AverageLogpsOf(logps);
  LossOutput output;
  output.loss = -averages.chosen - config.beta() * (at::log_sigmoid(LogOdds(averages.chosen)) +
                                                    at::log_sigmoid(-LogOdds(averages.rejected)));
  output.rewards_chosen = config.beta() * averages.chosen.detach();
  output.rewards_rejected = config.beta() * averages.rejected.detach();
  return output;
}

}  // namespace plumb
