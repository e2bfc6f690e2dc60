#include "alignment/objectives/ipo.h"

#include <ATen/TensorOperators.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits IpoTraits(const Ipo& config) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_lengths = config.log_ratios() == Ipo::AVERAGE;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kIpo, &ObjectiveConfig::ipo, IpoTraits, IpoLoss);

}  // namespace

LossOutput IpoLoss(const Ipo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  at::Tensor chosen = ratios.chosen;
  at::Tensor rejected = ratios.rejected;
  if (config.log_ratios() == Ipo::AVERAGE) {
    chosen = chosen / logps.chosen_length;
    rejected = rejected / logps.rejected_length;
  }
  LossOutput output;
  output.loss = (chosen - rejected - 1 / (2 * config.beta())).square();
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
