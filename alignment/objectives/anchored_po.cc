#include "alignment/objectives/anchored_po.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits AnchoredPoTraits(const AnchoredPo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered = RegisterObjective(ObjectiveConfig::kAnchoredPo, &ObjectiveConfig::anchored_po,
                                           AnchoredPoTraits, AnchoredPoLoss);

}  // namespace

LossOutput AnchoredPoLoss(const AnchoredPo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor chosen = config.beta() * ratios.chosen;
  const at::Tensor rejected = config.beta() * ratios.rejected;
  LossOutput output;
  // 1 - sigmoid(x) is written sigmoid(-x), which keeps its digits where x is large.
  output.loss = config.anchor() == AnchoredPo::ZERO ? at::sigmoid(-chosen) + at::sigmoid(rejected)
                                                    : at::sigmoid(chosen) + at::sigmoid(rejected - chosen);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
