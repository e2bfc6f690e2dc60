#include "alignment/objectives/f_dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits FDpoTraits(const FDpo&) {
  ObjectiveTraits traits;
  traits.needs_reference = true;
  return traits;
}

absl::Status CheckFDpo(const FDpo& config) {
  if (config.divergence() != FDpo::ALPHA && config.alpha_trl() != FDpo().alpha_trl()) {
    return absl::InvalidArgumentError("alpha_trl: is of divergence ALPHA; leave it out");
  }
  return absl::OkStatus();
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kFDpo, &ObjectiveConfig::f_dpo, FDpoTraits, FDpoLoss, CheckFDpo);

}  // namespace

LossOutput FDpoLoss(const FDpo& config, const PreferenceLogps& logps) {
  const LogRatios ratios = LogRatiosOf(logps);
  const auto score = [&](const at::Tensor& log_ratio) -> at::Tensor {
    constexpr double kLargestExponent = 80;
    switch (config.divergence()) {
      case FDpo::REVERSE_KL:
        return log_ratio;
      case FDpo::FORWARD_KL:
        return -at::exp((-log_ratio).clamp_max(kLargestExponent));
      case FDpo::JENSEN_SHANNON:
        return at::log_sigmoid(log_ratio);  // the constant log 2 cancels
      case FDpo::ALPHA:
        break;
    }
    const double exponent = config.alpha_trl() - 1;
    if (exponent == 0) return log_ratio;  // the limit
    return at::expm1((exponent * log_ratio).clamp_max(kLargestExponent)) / exponent;
  };
  LossOutput output;
  output.loss = -at::log_sigmoid(config.beta() * (score(ratios.chosen) - score(ratios.rejected)));
  SetImplicitRewards(config.beta(), ratios, &output);
  return output;
}

}  // namespace plumb
