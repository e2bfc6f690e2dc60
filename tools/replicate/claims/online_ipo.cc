// Calandriello et al. 2024: preferences of the policy's own answers, by the IPO loss.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr char kIpo[] = "ipo { beta: 0.1 log_ratios: SUM }";
constexpr int64_t kRounds = 8, kPairs = 504, kSteps = 200;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "online ipo");
  at::Tensor policy = world.reference();
  for (int64_t i = 0; i < kRounds; ++i) {
    const PreferencePairs pairs = world.SamplePairs(policy, kPairs / kRounds, random.Child(i));
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train(kIpo, policy, world.reference(), pairs, {kSteps / kRounds}));
    policy = policies.back();
  }
  PLUMB_ASSIGN_OR_RETURN(
      const auto offline,
      world.Train(kIpo, world.reference(), world.reference(),
                  world.SamplePairs(world.reference(), kPairs, random.Child("offline")), {kSteps}));
  return Comparison{world.Measure(policy).reward, world.Measure(offline.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"online_ipo",
     "Calandriello et al. 2024, Human Alignment of Large Language Models through Online Preference "
     "Optimisation (arXiv 2403.08635)",
     "IPO on pairs of the policy's own answers as it is exceeds IPO on as many pairs of the reference's.",
     "online IPO (tau 0.1, 8 rounds of 63 pairs)", "offline IPO (tau 0.1, 504 pairs)",
     "expected gold reward after 200 steps", /*lower_is_better=*/false, /*seeds=*/10,
     "rounds of 25 steps stand for new answers at each step; the reference is fixed, and the mixture policy "
     "of IPO-MD is not part of this run. The interval all but reaches 0, and did with six more pairs for the "
     "baseline. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
