#include "alignment/objectives/tdpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits TdpoTraits(const Tdpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_vocab_divergence = true;
  return traits;
}

absl::Status CheckTdpo(const Tdpo& config) {
  if (config.version() == Tdpo::TDPO1 && config.alpha() != Tdpo().alpha()) {
    return absl::InvalidArgumentError("alpha: is of version TDPO2; leave it out");
  }
  return absl::OkStatus();
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kTdpo, &ObjectiveConfig::tdpo, TdpoTraits, TdpoLoss, CheckTdpo);

}  // namespace

LossOutput TdpoLoss(const Tdpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const at::Tensor kl_chosen = SumOverAnswers(logps.chosen_token_kl, logps.chosen_length);
  const at::Tensor kl_rejected = SumOverAnswers(logps.rejected_token_kl, logps.rejected_length);
  const at::Tensor kl_difference = config.version() == Tdpo::TDPO1
                                       ? kl_rejected - kl_chosen
                                       : config.alpha() * (kl_rejected - kl_chosen.detach());
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (ratios.chosen - ratios.rejected - kl_difference));
  SetImplicitRewards(config.beta(), {ratios.chosen + kl_chosen, ratios.rejected + kl_rejected}, &output);
  output.metrics = {{"kl/chosen", kl_chosen.detach()}, {"kl/rejected", kl_rejected.detach()}};
  return output;
}

}  // namespace plumb
