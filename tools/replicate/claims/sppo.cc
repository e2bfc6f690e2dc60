// Wu et al. 2024: self-play by regression to win probabilities, against iterated DPO.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kIterations = 3;

// Each iteration labels answers of the policy as it is, which is also the iteration's reference.
absl::StatusOr<double> Iterate(const PreferenceWorld& world, const std::string& objective, uint64_t seed) {
  at::Tensor policy = world.reference();
  for (int64_t i = 0; i < kIterations; ++i) {
    const PreferencePairs pairs =
        world.SamplePairs(policy, 256, RandomStream(seed, "self-play").Child(static_cast<uint64_t>(i)));
    PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train(objective, policy, policy, pairs, {60, 0.05}));
    policy = policies.back();
  }
  return world.Measure(policy).reward;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Iterate(world, "sppo { beta: 0.1 }", seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Iterate(world, "dpo { beta: 0.1 }", seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"sppo",
     "Wu et al. 2024, Self-Play Preference Optimization for Language Model Alignment (arXiv 2405.00675)",
     "SPPO exceeds iterated DPO after three iterations.", "SPPO (1 / eta = 0.1)", "iterated DPO (beta 0.1)",
     "expected gold reward after 3 iterations of 256 new pairs and 60 steps", /*lower_is_better=*/false,
     /*seeds=*/10,
     "preferences here are transitive (Bradley-Terry), where DPO's model of them is right; the paper's "
     "advantage is argued for "
     "preferences that are not, and win probabilities here are 0 and 1 rather than estimated by a preference "
     "model.",
     Run});

}  // namespace
}  // namespace plumb
