#include "alignment/objectives/sppo.h"

#include <ATen/TensorOperators.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits SppoTraits(const Sppo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kSppo, &ObjectiveConfig::sppo, SppoTraits, SppoLoss);

}  // namespace

LossOutput SppoLoss(const Sppo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  LossOutput output;
  output.loss = (ratios.chosen - (config.chosen_win_probability() - 0.5) / config.beta()).square() +
                (ratios.rejected - (config.rejected_win_probability() - 0.5) / config.beta()).square();
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
