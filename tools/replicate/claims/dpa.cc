// Wang et al. 2024: a user asks for a direction in the space of rewards.

#include <ATen/TensorOperators.h>

#include <vector>

#include "alignment/preference_direction.h"
#include "alignment/selection/answer_pair.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kIterations = 3, kDirections = 4, kPromptsOfDirection = 30, kAnswers = 8;

double Along(const std::vector<double>& direction, const PolicyFigures& figures) {
  return direction[0] * figures.reward + direction[1] * figures.other_reward;
}

// Rejection-sampling fine-tuning: each time on the best of the policy's own answers to each prompt.
absl::StatusOr<at::Tensor> FineTune(const PreferenceWorld& world, const std::vector<double>& direction,
                                    int64_t prompts, const RandomStream& random) {
  at::Tensor policy = world.reference();
  for (int64_t iteration = 0; iteration < kIterations; ++iteration) {
    Answers answers = world.SampleAnswers(policy, prompts, kAnswers, random.Child(iteration));
    answers.rewards = direction[0] * answers.rewards + direction[1] * answers.other_rewards;
    std::vector<AnswerPair> best;
    for (int64_t i = 0; i < prompts; ++i) {
      const auto pair = BestAgainstWorst(RewardsOfPrompt(answers, i, kAnswers));
      if (pair.has_value()) best.push_back({i * kAnswers + pair->chosen, i * kAnswers + pair->rejected});
    }
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train("sft {}", policy, policy, SelectPairs(answers, best), {60, 0.05}));
    policy = policies.back();
  }
  return policy;
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "dpa");
  PreferenceDirection range;
  const PreferenceDirections directions(range, random.Child("directions"));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor scalar,
                         FineTune(world, {1, 0}, kDirections * kPromptsOfDirection, random.Child("scalar")));
  Comparison comparison;
  for (int64_t i = 0; i < kDirections; ++i) {
    const std::vector<double> direction = directions.Direction(i);
    PLUMB_ASSIGN_OR_RETURN(const at::Tensor policy,
                           FineTune(world, direction, kPromptsOfDirection, random.Child("dpa").Child(i)));
    comparison.method += Along(direction, world.Measure(policy)) / kDirections;
    comparison.baseline += Along(direction, world.Measure(scalar)) / kDirections;
  }
  return comparison;
}

const bool kRegistered =
    RegisterClaim({"dpa", "Wang et al. 2024, Directional Preference Alignment (arXiv 2402.18571)",
                   "Fine-tuning on the best answers in the direction asked for gives more reward in it than "
                   "fine-tuning, on as many answers "
                   "together, on the best by the first reward alone.",
                   "4 directions, 30 prompts each", "first reward, 120 prompts",
                   "expected gold reward in the direction, mean of 4 directions within 45 degrees of the "
                   "first reward, after 3 iterations of the best of 8",
                   /*lower_is_better=*/false, /*seeds=*/10,
                   "each direction has a bigram table of its own, so that directions share nothing; the "
                   "paper's one model reads the "
                   "direction in its prompt and learns across directions.",
                   Run});

}  // namespace
}  // namespace plumb
