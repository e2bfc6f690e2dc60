#include "alignment/objectives/discopop.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits DiscopopTraits(const Discopop&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kDiscopop, &ObjectiveConfig::discopop, DiscopopTraits, DiscopopLoss);

}  // namespace

LossOutput DiscopopLoss(const Discopop& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor logits = config.beta() * (ratios.chosen - ratios.rejected);
  // m exp(-z) is exp(log m - z): a product of 0 and infinity would be no number.
  LossOutput output;
  output.loss = -at::sigmoid(-logits / config.tau()) * at::log_sigmoid(logits) +
                (at::log_sigmoid(logits / config.tau()) - logits).exp();
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
