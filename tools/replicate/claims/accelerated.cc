// He et al. 2024: Nesterov's momentum between iterations of DPO.

#include "alignment/accelerated.h"

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kIterations = 3;

absl::StatusOr<double> Iterate(const PreferenceWorld& world, double alpha, uint64_t seed) {
  at::Tensor policy = world.reference().clone();
  AcceleratedIterates iterates;
  iterates.Start({{"policy", policy}});
  for (int64_t i = 0; i < kIterations; ++i) {
    const PreferencePairs pairs =
        world.SamplePairs(policy, 256, RandomStream(seed, "accelerated").Child(static_cast<uint64_t>(i)));
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train("dpo { beta: 0.1 }", policy, policy, pairs, {60, 0.05}));
    policy = policies.back().clone();
    iterates.Extrapolate(alpha, {{"policy", policy}});
  }
  return world.Measure(policy).reward;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Iterate(world, 0.3, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Iterate(world, 0, seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"accelerated",
     "He et al. 2024, Accelerated Preference Optimization for Large Language Model Alignment (arXiv "
     "2410.06293)",
     "Iterated DPO with momentum exceeds iterated DPO after as many iterations.",
     "accelerated (beta 0.1, alpha 0.3)", "iterated DPO (beta 0.1)",
     "expected gold reward after 3 iterations of 256 new pairs and 60 steps", /*lower_is_better=*/false,
     /*seeds=*/10,
     "a longer step is a larger KL divergence too, which is not held against it here, as it is not in the "
     "paper; whether the "
     "paper extrapolates the last iteration, as is done here, could not be confirmed. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
