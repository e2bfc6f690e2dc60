// Song et al. 2024: offline contrast, and KL regularisation on the policy's own answers.

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "alignment/on_policy_kl_task.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr double kWeight = 0.01;
constexpr int64_t kPrompts = 60, kGenerations = 4;  // of a step

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "hypo");
  PreferenceWorld::Training training;
  training.beside = [&](const at::Tensor& policy, int64_t step) {
    PreferencePairs own;
    own.chosen = own.rejected = world.SampleAnswers(policy, kPrompts, kGenerations, random.Child(step));
    const PreferenceLogps logps = world.Logps(policy, world.reference(), own);
    return OnPolicyKlSurrogate(logps.policy_chosen_logps, logps.reference_chosen_logps, kGenerations) *
           (kWeight / kPrompts);
  };
  PLUMB_ASSIGN_OR_RETURN(const auto hypo, world.Train("dpo { beta: 0.05 }", training));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.05 }"));
  // Both trainings come to this reward: two thirds of the way of the shorter one.
  const double start = world.Measure(world.reference()).reward;
  const double end = std::min(world.Measure(hypo.back()).reward, world.Measure(dpo.back()).reward);
  const double reward = start + 2 * (end - start) / 3;
  return Comparison{world.Where(hypo, &PolicyFigures::reward, reward, &PolicyFigures::kl),
                    world.Where(dpo, &PolicyFigures::reward, reward, &PolicyFigures::kl)};
}

const bool kRegistered = RegisterClaim(
    {"hypo", "Song et al. 2024, The Importance of Online Data (arXiv 2406.01462)",
     "HyPO is closer to the reference than DPO at the same reward.", "HyPO (beta 0.05, KL weight 0.01)",
     "DPO (beta 0.05)",
     "KL divergence from the reference in nats where the expected gold reward first comes to the same value",
     /*lower_is_better=*/true, /*seeds=*/10,
     "the weight was set beforehand to where both terms' gradients are of one size at some nats; the pairs "
     "are the "
     "reference's own answers, which cover what it says, where the paper is about pairs that do not. Bigram "
     "policies.",
     Run});

}  // namespace
}  // namespace plumb
