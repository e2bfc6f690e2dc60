#include "tools/replicate/data_budget.h"

#include <vector>

#include "alignment/selection/answer_pair.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// The best of four answers to each prompt.
PreferencePairs Demonstrations(const PreferenceWorld& world, int64_t count, const RandomStream& random) {
  constexpr int64_t kAnswers = 4;
  const Answers answers = world.SampleAnswers(world.reference(), count, kAnswers, random);
  std::vector<AnswerPair> best;
  for (int64_t i = 0; i < count; ++i) {
    const auto pair = BestAgainstWorst(RewardsOfPrompt(answers, i, kAnswers));
    if (pair.has_value()) best.push_back({i * kAnswers + pair->chosen, i * kAnswers + pair->rejected});
  }
  return SelectPairs(answers, best);
}

}  // namespace

absl::StatusOr<at::Tensor> SpendBudget(const PreferenceWorld& world, const DataBudget& budget,
                                       const RandomStream& random) {
  const bool both = budget.demonstrations > 0 && budget.pairs > 0;
  const PreferenceWorld::Training training = {both ? budget.steps / 2 : budget.steps};
  at::Tensor policy = world.reference();
  if (budget.demonstrations > 0) {
    PLUMB_ASSIGN_OR_RETURN(
        const auto policies,
        world.Train("sft {}", policy, policy,
                    Demonstrations(world, budget.demonstrations, random.Child("demonstrations")), training));
    policy = policies.back();
  }
  if (budget.pairs > 0) {
    PLUMB_ASSIGN_OR_RETURN(
        const auto policies,
        world.Train("dpo { beta: 0.1 }", policy, policy,
                    world.SamplePairs(policy, budget.pairs, random.Child("pairs")), training));
    policy = policies.back();
  }
  return policy;
}

}  // namespace plumb
