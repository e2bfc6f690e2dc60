#include "alignment/objectives/simpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/log_sigmoid.h>

#include "alignment/objectives/log_ratios.h"

namespace plumb {
namespace {

ObjectiveTraits SimpoTraits(const Simpo&) {
  ObjectiveTraits traits;
  traits.needs_lengths = true;
  return traits;
}

const bool kRegistered =
    RegisterObjective(ObjectiveConfig::kSimpo, &ObjectiveConfig::simpo, SimpoTraits, SimpoLoss);

}  // namespace

LossOutput SimpoLoss(const Simpo& config, const PreferenceLogps& logps) {
  const auto reward = [&](const at::Tensor& average) {
    const double alpha = config.alpha();
    return config.beta() * (alpha == 0 ? average : -at::expm1(-alpha * average) / alpha);
  };
  const AverageLogps averages = AverageLogpsOf(logps);
  const at::Tensor chosen = reward(averages.chosen);
  const at::Tensor rejected = reward(averages.rejected);
  const double gamma = config.has_gamma() ? config.gamma() : config.beta() * config.gamma_beta_ratio();
  LossOutput output;
  output.loss = -at::log_sigmoid(chosen - rejected - gamma);
  output.rewards_chosen = chosen.detach();
  output.rewards_rejected = rejected.detach();
  return output;
}

}  // namespace plumb
