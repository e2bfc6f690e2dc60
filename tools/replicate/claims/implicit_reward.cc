// Lin et al. 2024: a reward model generalises better than the reward that a DPO policy implies.

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

double Accuracy(const at::Tensor& chosen, const at::Tensor& rejected, const PreferencePairs& pairs) {
  const at::Tensor agree = (chosen > rejected) == (pairs.chosen.rewards > pairs.rejected.rewards);
  return agree.to(at::kDouble).mean().item<double>();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  // Of a policy whose tokens are all equally likely.
  const PreferencePairs shifted =
      world.SamplePairs(at::zeros_like(world.reference()), 2000, RandomStream(seed, "shifted"));
  PLUMB_ASSIGN_OR_RETURN(const auto tables, world.TrainRewards("reward {}", world.pairs(), {}));
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }"));
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), shifted);
  return Comparison{
      Accuracy(RewardsBy(tables.back(), shifted.chosen), RewardsBy(tables.back(), shifted.rejected), shifted),
      Accuracy(logps.policy_chosen_logps - logps.reference_chosen_logps,
               logps.policy_rejected_logps - logps.reference_rejected_logps, shifted)};
}

const bool kRegistered = RegisterClaim(
    {"implicit_reward",
     "Lin et al. 2024, On the Limited Generalization Capability of the Implicit Reward Model Induced by DPO "
     "(arXiv 2409.03650)",
     "On answers of another policy than those learnt, a reward model tells the better answer more often than "
     "the reward that DPO "
     "implies.",
     "explicit reward model", "DPO's implicit reward (beta 0.1)",
     "share of 2,000 pairs of equally likely tokens that are ordered as by the gold reward",
     /*lower_is_better=*/false, /*seeds=*/10,
     "both are sums of a bigram table of one size over an answer's tokens, the one of rewards and the other "
     "of log-ratios, 200 steps on "
     "the same 512 pairs; no shared layers, which the paper's models have.",
     Run});

}  // namespace
}  // namespace plumb
