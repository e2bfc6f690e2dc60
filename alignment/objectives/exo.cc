#include "alignment/objectives/exo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits ExoTraits(const Exo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kExo, &ObjectiveConfig::exo, ExoTraits, ExoLoss);

}  // namespace

LossOutput ExoLoss(const Exo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor logits = config.beta() * (ratios.chosen - ratios.rejected);
  const double e = config.label_smoothing();
  LossOutput output;
  output.loss = at::sigmoid(logits) * (at::log_sigmoid(logits) - std::log1p(-e)) +
                at::sigmoid(-logits) * (at::log_sigmoid(-logits) - std::log(e));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
