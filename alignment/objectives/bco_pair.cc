#include "alignment/objectives/bco_pair.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits BcoPairTraits(const BcoPair&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kBcoPair, &ObjectiveConfig::bco_pair, BcoPairTraits, BcoPairLoss);

}  // namespace

LossOutput BcoPairLoss(const BcoPair& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  LossOutput output;
  output.loss =
      -at::log_sigmoid(config.beta() * ratios.chosen) - at::log_sigmoid(-config.beta() * ratios.rejected);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
