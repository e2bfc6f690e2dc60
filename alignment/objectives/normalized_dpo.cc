#include "alignment/objectives/normalized_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits NormalizedDpoTraits(const NormalizedDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_lengths = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kNormalizedDpo, &ObjectiveConfig::normalized_dpo,
                                           NormalizedDpoTraits, NormalizedDpoLoss);

}  // namespace

LossOutput NormalizedDpoLoss(const NormalizedDpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  LossOutput output;
  output.loss = -at::log_sigmoid(
      config.beta() * (ratios.chosen / logps.chosen_length - ratios.rejected / logps.rejected_length));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
