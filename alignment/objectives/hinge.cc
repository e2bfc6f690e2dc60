#include "alignment/objectives/hinge.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/relu.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits HingeTraits(const Hinge&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kHinge, &ObjectiveConfig::hinge, HingeTraits, HingeLoss);

}  // namespace

LossOutput HingeLoss(const Hinge& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor logits = config.beta() * (ratios.chosen - ratios.rejected);
  LossOutput output;
  output.loss = at::relu(1 - logits);
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
