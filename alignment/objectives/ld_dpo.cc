#include "alignment/objectives/ld_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/where.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits LdDpoTraits(const LdDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  traits.needs_token_logps = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kLdDpo, &ObjectiveConfig::ld_dpo, LdDpoTraits, LdDpoLoss);

// Sums over each answer of its tokens' values, those after the first `shared` [B] weighted by `alpha`.
at::Tensor DesensitisedSums(const at::Tensor& values, const at::Tensor& lengths, const at::Tensor& shared,
                            double alpha) {
  const at::Tensor counts = lengths.detach().round().to(at::kLong);
  const at::Tensor begins = (counts.cumsum(0) - counts).repeat_interleave(counts);
  const at::Tensor places = at::arange(values.size(0), counts.options()) - begins;
  const at::Tensor is_shared = places < shared.detach().round().repeat_interleave(counts);
  return SumOverAnswers(at::where(is_shared, values, alpha * values), lengths);
}

}  // namespace

LossOutput LdDpoLoss(const LdDpo& config, const PreferenceLogps& logps) {
  const at::Tensor shared = at::minimum(logps.chosen_length, logps.rejected_length);
  const LogRatios ratios = {
      DesensitisedSums(logps.policy_chosen_token_logps - logps.reference_chosen_token_logps,
                       logps.chosen_length, shared, config.ld_alpha()),
      DesensitisedSums(logps.policy_rejected_token_logps - logps.reference_rejected_token_logps,
                       logps.rejected_length, shared, config.ld_alpha())};
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (ratios.chosen - ratios.rejected));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
