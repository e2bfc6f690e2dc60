#include "alignment/objectives/nca.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits NcaTraits(const Nca&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kNca, &ObjectiveConfig::nca, NcaTraits, NcaLoss);

}  // namespace

LossOutput NcaLoss(const Nca& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor chosen = config.beta() * ratios.chosen;
  const at::Tensor rejected = config.beta() * ratios.rejected;
  LossOutput output;
  output.loss = -at::log_sigmoid(chosen) - 0.5 * at::log_sigmoid(-chosen) - 0.5 * at::log_sigmoid(-rejected);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
