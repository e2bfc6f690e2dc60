// Rosset et al. 2024: pairs of a large margin, of the policy's own answers as it is.

#include <utility>
#include <vector>

#include "alignment/on_policy_pairs.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kIterations = 3, kPrompts = 84, kGenerations = 5;

// The answers of `author` and the data's own to each prompt, those pairs of them that differ enough.
PreferencePairs LargeMarginPairs(const PreferenceWorld& world, const at::Tensor& author, int64_t iteration,
                                 uint64_t seed) {
  const RandomStream random = RandomStream(seed, "dno").Child(static_cast<uint64_t>(iteration));
  const Answers sampled = world.SampleAnswers(author, kPrompts, kGenerations, random);
  std::vector<int64_t> part;
  for (int64_t i = 0; i < kPrompts; ++i) part.push_back(iteration * kPrompts + i);
  const Answers gold = Select(world.pairs().chosen, part);
  std::vector<AnswerPair> pairs;
  for (int64_t i = 0; i < kPrompts; ++i) {
    const absl::Span<const double> own = RewardsOfPrompt(sampled, i, kGenerations);
    std::vector<double> rewards(own.begin(), own.end());
    rewards.push_back(gold.rewards[i].item<double>());
    const auto place = [&](int64_t k) {
      return k < kGenerations ? i * kGenerations + k : kPrompts * kGenerations + i;
    };
    for (const auto& [chosen, rejected] : PairsByWinRate(WinRates(rewards), OnPolicyPairs::ALL, 0.3)) {
      pairs.push_back({place(chosen), place(rejected)});
    }
  }
  return SelectPairs(Joined(sampled, gold), pairs);
}

absl::StatusOr<double> Iterate(const PreferenceWorld& world, bool on_policy, uint64_t seed) {
  at::Tensor policy = world.reference();
  for (int64_t i = 0; i < kIterations; ++i) {
    const PreferencePairs pairs = LargeMarginPairs(world, on_policy ? policy : world.reference(), i, seed);
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train("dpo { beta: 0.1 }", policy, policy, pairs, {60, 0.05}));
    policy = policies.back();
  }
  return world.Measure(policy).reward;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Iterate(world, /*on_policy=*/true, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Iterate(world, /*on_policy=*/false, seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"dno", "Rosset et al. 2024, Direct Nash Optimization (arXiv 2404.03715)",
     "DNO, whose pairs are of the policy's own answers as it is, exceeds the same iterations on answers of "
     "the policy at the start.",
     "DNO (beta 0.1, margin 0.3)", "off-policy DPO (beta 0.1, margin 0.3)",
     "expected gold reward after 3 iterations of 84 prompts with 5 answers and 60 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "both move the reference with each iteration. The judge is the gold reward itself, whose preferences "
     "are "
     "transitive; the data's own answers are no teacher's but the reference's preferred ones. Bigram "
     "policies.",
     Run});

}  // namespace
}  // namespace plumb
