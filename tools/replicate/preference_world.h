#ifndef PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_
#define PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/objectives/objective.h"
#include "alignment/selection/answer_pair.h"
#include "common/tensor/random.h"

namespace plumb {

// A world in which everything about preference training is known. A policy is a table of bigram logits for
// each of P prompts, [P, V, V] f64: the next token given the one before; token 0 comes before the first and
// ends an answer, which max_length tokens end too. The gold reward of an answer is the sum of its tokens'
// rewards under its prompt; preferences are Bradley and Terry's by that reward. There is a second gold reward
// of the same kind, independent of the first, for what has two objectives. Expectations over a policy's
// answers are exact: sums over the chain.
struct PreferenceWorldOptions {
  int64_t prompts = 6;
  int64_t vocabulary = 12;
  int64_t max_length = 8;
  int64_t pairs = 512;
  double reward_scale = 1;  // standard deviation of a token's reward
  double flipped = 0;       // share of pairs whose label is turned round
};

// N answers.
struct Answers {
  at::Tensor
      cells;  // [T] int64: where in a policy's flattened table each token's logit is, answer after answer
  at::Tensor rows;           // [T] int64: the answer that a token belongs to
  at::Tensor token_rewards;  // [T] f64, gold
  at::Tensor lengths;        // [N] f64
  at::Tensor rewards;        // [N] f64, gold
  at::Tensor other_rewards;  // [N] f64, by the second gold reward
};

// Those of some places, in their order; a place may come more than once.
Answers Select(const Answers& answers, absl::Span<const int64_t> places);

// Of the answers to one prompt, where those of each are so many.
absl::Span<const double> RewardsOfPrompt(const Answers& answers, int64_t prompt, int64_t num_generations);

// Those of `a` and then those of `b`.
Answers Joined(const Answers& a, const Answers& b);

struct PreferencePairs {
  Answers chosen, rejected;
  // What only some objectives ask for, as in PreferenceLogps; else undefined.
  Answers gold;
  at::Tensor score_chosen, score_rejected;
  at::Tensor chosen_token_mask, rejected_token_mask;
  at::Tensor label;  // answers come one by one: all are `chosen`, and there are no rejected ones
};

// Pairs of answers, by their places among `answers`.
PreferencePairs SelectPairs(const Answers& answers, absl::Span<const AnswerPair> pairs);

// The same answers one by one: the chosen ones, which are good, and then the rejected ones, which are bad.
PreferencePairs Unpaired(const PreferencePairs& pairs);

// The rewards [N] that a table of TrainRewards() gives; gradients flow into `table`.
at::Tensor RewardsBy(const at::Tensor& table, const Answers& answers);

// How much each gold reward counts for those who label.
struct RewardWeights {
  double first = 1;
  double other = 0;
};

// What a policy is worth, exactly.
struct PolicyFigures {
  double reward = 0;   // expected gold reward
  double kl = 0;       // KL(policy || reference) of whole answers, nats
  double entropy = 0;  // of whole answers, nats
  double length = 0;   // expected tokens, the end among them
  double other_reward = 0;
};

class PreferenceWorld {
 public:
  PreferenceWorld(uint64_t seed, const PreferenceWorldOptions& options);

  const at::Tensor& reference() const { return reference_; }          // [P, V, V] logits
  const at::Tensor& token_rewards() const { return token_rewards_; }  // [P, V], gold

  // Answers of `policy`, `num_generations` to each of `count` prompts, those of a prompt one after the other;
  // the P prompts take turns. The same `stream` gives the same answers.
  Answers SampleAnswers(const at::Tensor& policy, int64_t count, int64_t num_generations,
                        const RandomStream& stream) const;

  // Pairs of answers of `policy`, labelled; the same `stream` gives the same pairs.
  PreferencePairs SamplePairs(const at::Tensor& policy, int64_t pairs, const RandomStream& stream,
                              const RewardWeights& weights = {}) const;

  // From random stream "pairs" of the world's seed, of the reference's answers.
  const PreferencePairs& pairs() const { return pairs_; }

  PolicyFigures Measure(const at::Tensor& policy) const;

  // All that any objective asks for; gradients flow into `policy`. The baseline of answers that come one by
  // one is KL(policy || reference()) itself, where programs estimate it; Train() gives an objective that asks
  // for the running mean that mean.
  PreferenceLogps Logps(const at::Tensor& policy, const at::Tensor& reference,
                        const PreferencePairs& pairs) const;

  struct Training {
    int64_t steps = 200;
    double learning_rate = 0.05;  // of Adam, on whole batches
    // What is added to the objective's loss, of the policy as it is before a step; may be empty.
    std::function<at::Tensor(const at::Tensor& policy, int64_t step)> beside = nullptr;
  };
  // The policies after each step, from `start` on; the reference of the objective is `reference`. `objective`
  // in text format: "dpo { beta: 0.1 }".
  absl::StatusOr<std::vector<at::Tensor>> Train(const std::string& objective, const at::Tensor& start,
                                                const at::Tensor& reference, const PreferencePairs& pairs,
                                                const Training& training) const;
  // On pairs(), from reference().
  absl::StatusOr<std::vector<at::Tensor>> Train(const std::string& objective, const Training& training) const;
  absl::StatusOr<std::vector<at::Tensor>> Train(const std::string& objective) const {
    return Train(objective, Training());
  }

  // A reward model's training on pairs of answers: tables as a policy's, from zero, of what each token adds
  // to an answer's reward.
  absl::StatusOr<std::vector<at::Tensor>> TrainRewards(const std::string& objective,
                                                       const PreferencePairs& pairs,
                                                       const Training& training) const;

  // Figure `y` where figure `x` of a training first comes to `value`, linearly between steps; at its end if
  // it never does. "The reward at a KL of 2 nats": Where(policies, &PolicyFigures::kl, 2,
  // &PolicyFigures::reward).
  double Where(const std::vector<at::Tensor>& policies, double PolicyFigures::*x, double value,
               double PolicyFigures::*y) const;

 private:
  PreferenceWorldOptions options_;
  RandomStream random_;
  at::Tensor token_rewards_, other_token_rewards_;  // [P, V]; 0 for the end
  at::Tensor reference_;
  PreferencePairs pairs_;
};

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_
