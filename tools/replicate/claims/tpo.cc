// Saeidi et al. 2024: a gold answer and a pair are learnt in one stage better than in two.

#include <algorithm>
#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kPrompts = 512, kAnswers = 3, kSteps = 200;

// Of three answers to each prompt the best is gold, the others are the pair.
PreferencePairs Triples(const PreferenceWorld& world, uint64_t seed) {
  const Answers answers =
      world.SampleAnswers(world.reference(), kPrompts, kAnswers, RandomStream(seed, "triples"));
  std::vector<int64_t> gold;
  std::vector<AnswerPair> pairs;
  for (int64_t i = 0; i < kPrompts; ++i) {
    const absl::Span<const double> rewards = RewardsOfPrompt(answers, i, kAnswers);
    std::vector<int64_t> ranking = {0, 1, 2};
    std::stable_sort(ranking.begin(), ranking.end(),
                     [&](int64_t a, int64_t b) { return rewards[a] > rewards[b]; });
    gold.push_back(i * kAnswers + ranking[0]);
    pairs.push_back({i * kAnswers + ranking[1], i * kAnswers + ranking[2]});
  }
  PreferencePairs triples = SelectPairs(answers, pairs);
  triples.gold = Select(answers, gold);
  return triples;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const PreferencePairs triples = Triples(world, seed);
  PLUMB_ASSIGN_OR_RETURN(const auto tpo, world.Train("tpo { beta: 0.1 tpo_alpha: 1 }", world.reference(),
                                                     world.reference(), triples, {kSteps}));
  PreferencePairs demonstrations = triples;
  demonstrations.chosen = triples.gold;
  PLUMB_ASSIGN_OR_RETURN(const auto sft, world.Train("sft {}", world.reference(), world.reference(),
                                                     demonstrations, {kSteps / 2}));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo,
                         world.Train("dpo { beta: 0.1 }", sft.back(), sft.back(), triples, {kSteps / 2}));
  return Comparison{world.Measure(tpo.back()).reward, world.Measure(dpo.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"tpo", "Saeidi et al. 2024, Triple Preference Optimization (arXiv 2405.16681)",
     "TPO in one stage exceeds SFT on the gold answers and then DPO on the pairs, of as many steps together.",
     "TPO (beta 0.1, alpha 1)", "SFT, then DPO (beta 0.1)", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "one beta for both, ten times TPO's default. The likelihood of the gold answers, the best of three of "
     "the reference's own, is part of the loss to the end and holds TPO near imitation, while the baseline "
     "leaves them after half of the steps; no teacher wrote them. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
