#ifndef PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_
#define PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignment/objectives/objective.h"
#include "common/tensor/random.h"

namespace plumb {

// A world in which everything about preference training is known. A policy is a table of bigram logits for
// each of P prompts, [P, V, V] f64: the next token given the one before; token 0 comes before the first and
// ends an answer, which max_length tokens end too. The gold reward of an answer is the sum of its tokens'
// rewards under its prompt; preferences are Bradley and Terry's by that reward. Expectations over a policy's
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
  at::Tensor rows;     // [T] int64: the answer that a token belongs to
  at::Tensor lengths;  // [N] f64
  at::Tensor rewards;  // [N] f64, gold
};

struct PreferencePairs {
  Answers chosen, rejected;
};

// What a policy is worth, exactly.
struct PolicyFigures {
  double reward = 0;   // expected gold reward
  double kl = 0;       // KL(policy || reference) of whole answers, nats
  double entropy = 0;  // of whole answers, nats
  double length = 0;   // expected tokens, the end among them
};

class PreferenceWorld {
 public:
  PreferenceWorld(uint64_t seed, const PreferenceWorldOptions& options);

  const at::Tensor& reference() const { return reference_; }  // [P, V, V] logits

  // Pairs of answers of `policy`, labelled; the same `stream` gives the same pairs.
  PreferencePairs SamplePairs(const at::Tensor& policy, int64_t pairs, const RandomStream& stream) const;

  // From random stream "pairs" of the world's seed, of the reference's answers.
  const PreferencePairs& pairs() const { return pairs_; }

  PolicyFigures Measure(const at::Tensor& policy) const;

  // All that any objective asks for; gradients flow into `policy`.
  PreferenceLogps Logps(const at::Tensor& policy, const at::Tensor& reference,
                        const PreferencePairs& pairs) const;

  struct Training {
    int64_t steps = 200;
    double learning_rate = 0.05;  // of Adam, on whole batches
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

  // Figure `y` where figure `x` of a training first comes to `value`, linearly between steps; at its end if
  // it never does. "The reward at a KL of 2 nats": Where(policies, &PolicyFigures::kl, 2,
  // &PolicyFigures::reward).
  double Where(const std::vector<at::Tensor>& policies, double PolicyFigures::*x, double value,
               double PolicyFigures::*y) const;

 private:
  PreferenceWorldOptions options_;
  RandomStream random_;
  at::Tensor token_rewards_;  // [P, V]; 0 for the end
  at::Tensor reference_;
  PreferencePairs pairs_;
};

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_PREFERENCE_WORLD_H_
