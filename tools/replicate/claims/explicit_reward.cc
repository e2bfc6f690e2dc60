// Lin et al. 2024: the reward that DPO implies against a reward model, on answers of another policy.

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "common/config/recipe.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kSteps = 200;

// The sums over answers [N] of a table's [P, V, V] entries.
at::Tensor Sums(const at::Tensor& table, const Answers& answers) {
  return at::zeros_like(answers.lengths)
      .index_add(0, answers.rows, table.flatten().index_select(0, answers.cells));
}

double Accuracy(const at::Tensor& table, const PreferencePairs& pairs) {
  return (Sums(table, pairs.chosen) > Sums(table, pairs.rejected)).to(at::kDouble).mean().item<double>();
}

// A reward model of as many parameters as a policy: a reward for each token after each other one, free of the
// normalisation that a policy has. By Adam as policies are trained.
absl::StatusOr<at::Tensor> TrainRewards(const at::Tensor& shape, const PreferencePairs& pairs) {
  ObjectiveConfig config;
  PLUMB_RETURN_IF_ERROR(ParseRecipe("reward {}", "objective", /*overrides=*/{}, &config));
  PLUMB_ASSIGN_OR_RETURN(const Objective method, Objective::Create(config));
  at::Tensor table = at::zeros_like(shape), mean = at::zeros_like(shape), square = at::zeros_like(shape);
  for (int64_t step = 1; step <= kSteps; ++step) {
    table = table.detach().requires_grad_(true);
    PreferenceLogps logps;
    logps.rewards_chosen = Sums(table, pairs.chosen);
    logps.rewards_rejected = Sums(table, pairs.rejected);
    method.Compute(logps).loss.mean().backward();
    const at::NoGradGuard no_grad;
    mean = 0.9 * mean + 0.1 * table.grad();
    square = 0.999 * square + 0.001 * table.grad() * table.grad();
    const double correction1 = 1 - std::pow(0.9, step), correction2 = 1 - std::pow(0.999, step);
    table = table.detach() - 0.05 / correction1 * mean / ((square / correction2).sqrt() + 1e-8);
  }
  return table.detach();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }", {kSteps, 0.05}));
  const at::Tensor implied = at::log_softmax(policies.back(), -1) - at::log_softmax(world.reference(), -1);
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor explicit_rewards, TrainRewards(implied, world.pairs()));
  // Answers that the pairs of the training seldom have: of a policy to which all tokens are alike.
  const PreferencePairs others =
      world.SamplePairs(at::zeros_like(implied), 4096, RandomStream(seed, "other answers"));
  return Comparison{Accuracy(explicit_rewards, others), Accuracy(implied, others)};
}

const bool kRegistered = RegisterClaim(
    {"explicit_reward",
     "Lin et al. 2024, On the Limited Generalization Capability of the Implicit Reward Model Induced by "
     "Direct "
     "Preference Optimization (arXiv 2409.03650)",
     "An explicit reward model tells better from worse answers of another policy more often than DPO's "
     "implicit "
     "reward does.",
     "reward model", "DPO's implicit reward (beta 0.1)",
     "share of 4,096 pairs of a uniform policy that are ordered as labelled", /*lower_is_better=*/false,
     /*seeds=*/10,
     "the shift is of answers alone, not of prompts: bigram tables know nothing of other prompts. Both have "
     "as "
     "many parameters and the same training.",
     Run});

}  // namespace
}  // namespace plumb
