// Liu et al. 2023: pairs of the optimal policy, estimated by rejection sampling.

#include "alignment/selection/rejection_sampling.h"

#include <numeric>
#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kPrompts = 126, kAnswers = 64, kSamples = 8;
constexpr double kBeta = 0.5;

absl::StatusOr<double> Reward(const PreferenceWorld& world, bool rejection, uint64_t seed) {
  const RandomStream random(seed, "rso");
  const Answers answers = world.SampleAnswers(world.reference(), kPrompts, kAnswers, random.Child("answers"));
  std::vector<AnswerPair> pairs;
  for (int64_t i = 0; i < kPrompts; ++i) {
    const absl::Span<const double> rewards = RewardsOfPrompt(answers, i, kAnswers);
    const RandomStream own = random.Child(static_cast<uint64_t>(i));
    std::vector<int64_t> taken(kSamples);
    std::iota(taken.begin(), taken.end(), 0);
    if (rejection) {
      PLUMB_ASSIGN_OR_RETURN(taken, RejectionSample(rewards, kSamples, kBeta, own.Child("acceptance")));
    }
    for (const AnswerPair& pair : FirstRoundPairs(taken, rewards, own.Child("pairs"))) {
      pairs.push_back({i * kAnswers + pair.chosen, i * kAnswers + pair.rejected});
    }
  }
  PLUMB_ASSIGN_OR_RETURN(const auto policies,
                         world.Train("dpo { beta: 0.1 }", world.reference(), world.reference(),
                                     SelectPairs(answers, pairs), {}));
  return world.Measure(policies.back()).reward;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Reward(world, /*rejection=*/true, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Reward(world, /*rejection=*/false, seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"rejection_sampling",
     "Liu et al. 2023, Statistical Rejection Sampling Improves Preference Optimization (arXiv 2309.06657)",
     "DPO on pairs of answers that rejection sampling took exceeds DPO on as many pairs of the SFT policy's "
     "answers.",
     "RSO (8 of 64 answers, beta 0.5)", "8 answers of the SFT policy", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the gold reward itself takes answers and ranks pairs, where the paper has a learnt ranker; the loss is "
     "DPO's (beta 0.1) for both. Answers that were taken are all good ones, and say little of what to leave. "
     "Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
