#ifndef PLUMB_ALIGNMENT_ON_POLICY_PAIRS_H_
#define PLUMB_ALIGNMENT_ON_POLICY_PAIRS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/preference_data.h"
#include "alignment/recipe.pb.h"
#include "alignment/text_model.h"
#include "common/nn/reward_model.h"

namespace plumb {

// Pairs for a stage, made when it begins of what the policy answers then: one batched on-policy iteration of
// Direct Nash Optimization (Rosset et al. 2024, arXiv 2404.03715, Algorithm 2, DNO-Prct), with DPO on them
// against that same policy as its other half:
//
//   1. of each prompt x, K answers y_1 ... y_K ~ pi_t(.|x), and the data's own answer y_gold
//   2. these are ranked by their win rates: the mean over the others of P(y_j > y_k | x)
//   3. pairs (y+, y-) whose win rates differ by a large margin are kept
//   4. pi_{t+1} = argmax E log sigmoid(beta log(pi(y+)/pi_t(y+)) - beta log(pi(y-)/pi_t(y-)))
//
// P is Bradley-Terry's of rewards here, sigmoid(R(y_j) - R(y_k)); the paper asks GPT-4 for scores. K = 5,
// three iterations and the parts of the prompts, one for each iteration, were read in summaries of the paper.

// A reward model, by its weight in the sum that is an answer's reward.
struct WeightedReward {
  RewardModel model;
  double weight = 1;
};

// R of each answer to one prompt: the rewards' weighted sum at its last token; each weight times the
// direction's component, if there is a direction.
absl::StatusOr<std::vector<double>> AnswerRewards(absl::Span<WeightedReward> rewards,
                                                  const std::vector<int64_t>& prompt_ids,
                                                  absl::Span<const std::vector<int64_t>> answers,
                                                  absl::Span<const double> direction = {});

// For each answer the mean over all others of sigmoid(R(y) - R(other)); 0.5 for a single one.
std::vector<double> WinRates(absl::Span<const double> rewards);

// (chosen, rejected) by their places among the answers: those whose win rates differ by more than min_margin,
// all of them or that of the best and the worst one (the first of equals); by falling margin.
std::vector<std::pair<int64_t, int64_t>> PairsByWinRate(absl::Span<const double> win_rates,
                                                        OnPolicyPairs::Selection selection,
                                                        double min_margin);

// What became of the prompts, for people.
struct OnPolicyCounts {
  int64_t prompts = 0;
  int64_t answers = 0;
  int64_t pairs = 0;
};

// Replaces `examples`, whose chosen answers are the data's own, by pairs of answers (with_rejected) or by the
// best answer to each prompt; by the direction that an example's prompt asks for, if it does (reward models
// see the prompt without it). Their scores are their rewards, or win rates. Answer k to example i depends on
// `random`, the policy and the prompt. Answers are cut to `max_length` tokens with their prompt; those
// without an end-of-sequence token pay missing_eos_penalty. Every example has a prompt.
absl::Status MakeOnPolicyPairs(const OnPolicyPairs& config, TextModel& policy,
                               absl::Span<WeightedReward> rewards, bool with_rejected, int64_t max_length,
                               const RandomStream& random, std::vector<TokenizedPreference>* examples,
                               OnPolicyCounts* counts);

// The training examples that part `part` (from 1) of `parts` has, in their order: each is in one part, and
// parts are of one size, but for one more or less.
std::vector<int64_t> PromptsOfPart(int64_t count, int64_t part, int64_t parts, const RandomStream& random);

// Examples as a file keeps them, and back: a JSON row each.
std::string WriteSampledPairs(absl::Span<const TokenizedPreference> pairs);
absl::StatusOr<std::vector<TokenizedPreference>> ReadSampledPairs(const std::string& text);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_ON_POLICY_PAIRS_H_
