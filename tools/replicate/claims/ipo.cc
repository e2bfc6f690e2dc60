// Azar et al. 2023: a margin that is regressed to a number, not driven without end.

#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kPrompts = 512, kSteps = 1000;

// The better answer of two to each prompt, always; equals make no pair.
PreferencePairs SurePairs(const PreferenceWorld& world, uint64_t seed) {
  const Answers answers =
      world.SampleAnswers(world.reference(), kPrompts, 2, RandomStream(seed, "sure pairs"));
  std::vector<AnswerPair> pairs;
  for (int64_t i = 0; i < kPrompts; ++i) {
    const absl::Span<const double> rewards = RewardsOfPrompt(answers, i, 2);
    if (rewards[0] == rewards[1]) continue;
    const int64_t better = rewards[0] > rewards[1] ? 0 : 1;
    pairs.push_back({2 * i + better, 2 * i + 1 - better});
  }
  return SelectPairs(answers, pairs);
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const PreferencePairs pairs = SurePairs(world, seed);
  const auto divergence = [&](const char* objective) -> absl::StatusOr<double> {
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train(objective, world.reference(), world.reference(), pairs, {kSteps}));
    return world.Measure(policies.back()).kl;
  };
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, divergence("ipo { beta: 0.1 log_ratios: SUM }"));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, divergence("dpo { beta: 0.1 }"));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"ipo",
     "Azar et al. 2023, A General Theoretical Paradigm to Understand Learning from Human Preferences (arXiv "
     "2310.12036)",
     "Where preferences are sure, IPO stays closer to the reference than DPO with the same parameter.",
     "IPO (tau 0.1, sums)", "DPO (beta 0.1)", "KL divergence from the reference after 1,000 steps, nats",
     /*lower_is_better=*/true, /*seeds=*/10,
     "the parameter means another strength of regularisation in each loss: the claim is that DPO's has no "
     "effect where preferences are sure. Which of the two gets more reward is not compared. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
