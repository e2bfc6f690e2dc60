// Raghavendra et al. 2025: a small part of the budget for demonstrations spares preference tuning a cold
// start.

#include <vector>

#include "alignment/selection/answer_pair.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kBudget = 600, kDemonstrations = 60, kSteps = 200;

// The best of four answers to each prompt.
PreferencePairs Demonstrations(const PreferenceWorld& world, const RandomStream& random) {
  constexpr int64_t kAnswers = 4;
  const Answers answers = world.SampleAnswers(world.reference(), kDemonstrations, kAnswers, random);
  std::vector<AnswerPair> best;
  for (int64_t i = 0; i < kDemonstrations; ++i) {
    const auto pair = BestAgainstWorst(RewardsOfPrompt(answers, i, kAnswers));
    if (pair.has_value()) best.push_back({i * kAnswers + pair->chosen, i * kAnswers + pair->rejected});
  }
  return SelectPairs(answers, best);
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "balancing budget");
  const at::Tensor& base = world.reference();
  PLUMB_ASSIGN_OR_RETURN(
      const auto sft,
      world.Train("sft {}", base, base, Demonstrations(world, random.Child("demonstrations")), {kSteps / 2}));
  const at::Tensor& tuned = sft.back();
  PLUMB_ASSIGN_OR_RETURN(
      const auto both,
      world.Train("dpo { beta: 0.1 }", tuned, tuned,
                  world.SamplePairs(tuned, kBudget - kDemonstrations, random.Child("pairs")), {kSteps / 2}));
  PLUMB_ASSIGN_OR_RETURN(const auto alone,
                         world.Train("dpo { beta: 0.1 }", base, base,
                                     world.SamplePairs(base, kBudget, random.Child("pairs")), {kSteps}));
  return Comparison{world.Measure(both.back()).reward, world.Measure(alone.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"balancing_budget",
     "Raghavendra et al. 2025, Balancing the Budget: Trade-offs Between Supervised and Preference-Based "
     "Finetuning (arXiv 2502.11284)",
     "A tenth of the annotations for SFT and the rest for DPO exceed all of them for DPO on the base model.",
     "60 demonstrations, then 540 pairs", "600 pairs", "expected gold reward after 200 steps together",
     /*lower_is_better=*/false, /*seeds=*/10,
     "a demonstration costs as much as a pair and is the best of four answers of the base model. After SFT "
     "the pairs are the tuned model's own and the reference is that model, which alone goes further; the "
     "base model has no form of answer to learn first, where the paper finds the cold start in mathematics. "
     "Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
