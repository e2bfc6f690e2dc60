// Lin et al. 2024: a reward model generalises better than the reward that a DPO policy implies, so that it is
// the better judge of new answers in iterative DPO.

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "alignment/selection/answer_pair.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

double Accuracy(const at::Tensor& chosen, const at::Tensor& rejected, const PreferencePairs& pairs) {
  const at::Tensor agree = (chosen > rejected) == (pairs.chosen.rewards > pairs.rejected.rewards);
  return agree.to(at::kDouble).mean().item<double>();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  // Of a policy whose tokens are all equally likely.
  const PreferencePairs shifted =
      world.SamplePairs(at::zeros_like(world.reference()), 2000, RandomStream(seed, "shifted"));
  PLUMB_ASSIGN_OR_RETURN(const auto tables, world.TrainRewards("reward {}", world.pairs(), {}));
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }"));
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), shifted);
  return Comparison{
      Accuracy(RewardsBy(tables.back(), shifted.chosen), RewardsBy(tables.back(), shifted.rejected), shifted),
      Accuracy(logps.policy_chosen_logps - logps.reference_chosen_logps,
               logps.policy_rejected_logps - logps.reference_rejected_logps, shifted)};
}

// [N], of answers.
using Judge = std::function<at::Tensor(const Answers&)>;

// The expected gold reward after iterations of DPO on the policy's own answers, the best against the worst as
// `judge` has them.
absl::StatusOr<double> Iterate(const PreferenceWorld& world, const at::Tensor& start, const Judge& judge,
                               uint64_t seed) {
  constexpr int64_t kIterations = 3, kPrompts = 128, kGenerations = 4;
  at::Tensor policy = start;
  for (int64_t i = 0; i < kIterations; ++i) {
    Answers answers = world.SampleAnswers(policy, kPrompts, kGenerations,
                                          RandomStream(seed, "iterative").Child(static_cast<uint64_t>(i)));
    answers.rewards = judge(answers).contiguous();
    std::vector<AnswerPair> pairs;
    for (int64_t prompt = 0; prompt < kPrompts; ++prompt) {
      const std::optional<AnswerPair> pair = BestAgainstWorst(RewardsOfPrompt(answers, prompt, kGenerations));
      if (!pair.has_value()) continue;
      pairs.push_back({prompt * kGenerations + pair->chosen, prompt * kGenerations + pair->rejected});
    }
    PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }", policy, policy,
                                                            SelectPairs(answers, pairs), {60, 0.05}));
    policy = policies.back();
  }
  return world.Measure(policy).reward;
}

absl::StatusOr<Comparison> RunIterative(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto tables, world.TrainRewards("reward {}", world.pairs(), {}));
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }"));
  const at::Tensor first = policies.back().detach();
  // An answer's log-ratio is the sum of its tokens'.
  const at::Tensor log_ratios = first.log_softmax(-1) - world.reference().log_softmax(-1);
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(
      comparison.method,
      Iterate(
          world, first, [&](const Answers& answers) { return RewardsBy(tables.back(), answers); }, seed));
  PLUMB_ASSIGN_OR_RETURN(
      comparison.baseline,
      Iterate(
          world, first, [&](const Answers& answers) { return RewardsBy(log_ratios, answers); }, seed));
  return comparison;
}

const char* const kPaper =
    "Lin et al. 2024, On the Limited Generalization Capability of the Implicit Reward Model Induced by DPO "
    "(arXiv 2409.03650)";

const bool kRegistered =
    RegisterClaim(
        {"implicit_reward", kPaper,
         "On answers of another policy than those learnt, a reward model tells the better answer more often "
         "than the reward that DPO implies.",
         "explicit reward model", "DPO's implicit reward (beta 0.1)",
         "share of 2,000 pairs of equally likely tokens that are ordered as by the gold reward",
         /*lower_is_better=*/false, /*seeds=*/10,
         "both are sums of a bigram table of one size over an answer's tokens, the one of rewards and the "
         "other of log-ratios, 200 steps on the same 512 pairs; no shared layers, which the paper's models "
         "have.",
         Run}) &&
    RegisterClaim(
        {"implicit_reward_iterative", kPaper,
         "Iterative DPO on answers judged by a reward model comes to a better policy than on answers judged "
         "by the reward that the first DPO policy implies.",
         "judged by the explicit reward model", "judged by DPO's implicit reward (beta 0.1)",
         "expected gold reward after 3 iterations of 128 prompts with 4 answers and 60 steps",
         /*lower_is_better=*/false, /*seeds=*/10,
         "both judges learn from the same 512 pairs, as bigram tables without shared layers, and stay as "
         "they "
         "are then; both runs begin with the DPO policy, and each iteration's reference is the policy that "
         "it "
         "begins with; the KL divergence is not held equal.",
         RunIterative});

}  // namespace
}  // namespace plumb
