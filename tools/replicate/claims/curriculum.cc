// Pattnaik et al. 2024: pairs of ranked answers, learnt from easy to hard.

#include "alignment/selection/curriculum.h"

#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kPrompts = 168, kAnswers = 4, kStages = 3;

using Stages = std::vector<std::vector<AnswerPair>>;

Stages EasyToHard(const Answers& answers) {
  Stages stages(kStages);
  CurriculumOptions options;
  options.stages = kStages;
  for (int64_t i = 0; i < kPrompts; ++i) {
    for (const CurriculumPair& pair : CurriculumPairs(RewardsOfPrompt(answers, i, kAnswers), options)) {
      stages[pair.stage].push_back(
          {i * kAnswers + pair.answers.chosen, i * kAnswers + pair.answers.rejected});
    }
  }
  return stages;
}

// The same pairs in stages of the same sizes, in random order.
Stages Shuffled(const Stages& stages, const RandomStream& random) {
  std::vector<AnswerPair> all;
  for (const auto& stage : stages) all.insert(all.end(), stage.begin(), stage.end());
  const std::vector<int64_t> order = random.Permutation(static_cast<int64_t>(all.size()));
  Stages shuffled(stages.size());
  size_t next = 0;
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    for (size_t i = 0; i < stages[stage].size(); ++i) shuffled[stage].push_back(all[order[next++]]);
  }
  return shuffled;
}

absl::StatusOr<double> Reward(const PreferenceWorld& world, const Answers& answers, const Stages& stages) {
  at::Tensor policy = world.reference();
  for (const std::vector<AnswerPair>& stage : stages) {
    PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }", policy, policy,
                                                            SelectPairs(answers, stage), {60, 0.05}));
    policy = policies.back();
  }
  return world.Measure(policy).reward;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "curriculum");
  const Answers answers = world.SampleAnswers(world.reference(), kPrompts, kAnswers, random.Child("answers"));
  const Stages stages = EasyToHard(answers);
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Reward(world, answers, stages));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline,
                         Reward(world, answers, Shuffled(stages, random.Child("order"))));
  return comparison;
}

const bool kRegistered =
    RegisterClaim({"curriculum",
                   "Pattnaik et al. 2024, Curry-DPO: Enhancing Alignment using Curriculum Learning and "
                   "Ranked Preferences (arXiv "
                   "2403.07230)",
                   "Pairs learnt from easy to hard give more reward than the same pairs in random order.",
                   "easy to hard (DPO, beta 0.1)", "shuffled (DPO, beta 0.1)",
                   "expected gold reward after 3 stages of 60 steps", /*lower_is_better=*/false, /*seeds=*/10,
                   "both move the reference from stage to stage; the pairs are the best of 4 answers against "
                   "each other one, ranked by the gold "
                   "reward without noise. Bigram policies.",
                   Run});

}  // namespace
}  // namespace plumb
