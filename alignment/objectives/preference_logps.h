#ifndef PLUMB_ALIGNMENT_OBJECTIVES_PREFERENCE_LOGPS_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_PREFERENCE_LOGPS_H_

#include <ATen/core/Tensor.h>

#include "absl/types/span.h"

namespace plumb {

struct ObjectiveTraits;

// What objectives see of a batch of B pairs: floating-point tensors, [B] unless another shape is said. Those
// that an objective's traits do not ask for may be undefined. A log-probability is the natural logarithm of
// p(answer | prompt), summed over the answer's tokens.
struct PreferenceLogps {
  at::Tensor policy_chosen_logps;
  at::Tensor policy_rejected_logps;
  at::Tensor reference_chosen_logps;
  at::Tensor reference_rejected_logps;

  // Tokens that those sums have, at least 1.
  at::Tensor chosen_length;
  at::Tensor rejected_length;

  // The same of the gold answer of triple data.
  at::Tensor policy_gold_logps;
  at::Tensor gold_length;

  // By how much the chosen answer is better, where the data says so; else undefined.
  at::Tensor margin;

  // What the data says of each answer, such as rewards of other models: [B, K].
  at::Tensor score_chosen;
  at::Tensor score_rejected;

  // Of answers that come one by one, each the chosen one of its row: 1 for a good one, 0 for a bad one.
  at::Tensor label;
  // How much the loss of each counts; undefined: 1. WeightedObjectives looks at it, whatever the objective.
  at::Tensor weight;
  // The log-ratio that theirs are compared with (Baseline), for each the same.
  at::Tensor baseline;

  // Scores that a reward model gives.
  at::Tensor rewards_chosen;
  at::Tensor rewards_rejected;

  // The sums' terms, example after example: [sum of the lengths].
  at::Tensor policy_chosen_token_logps;
  at::Tensor policy_rejected_token_logps;
  at::Tensor reference_chosen_token_logps;
  at::Tensor reference_rejected_token_logps;

  // KL(reference || policy) over the whole vocabulary at each of those tokens: [sum of the lengths].
  at::Tensor chosen_token_kl;
  at::Tensor rejected_token_kl;

  // 1 for each of those tokens that counts, 0 for the others: [sum of the lengths].
  at::Tensor chosen_token_mask;
  at::Tensor rejected_token_mask;
};

// One member of PreferenceLogps, by the name that `//alignment:loss` reads it under. A new input is a member
// and a row.
struct PreferenceInput {
  const char* name;
  at::Tensor PreferenceLogps::*tensor;
  at::Tensor PreferenceLogps::*token_count;  // the lengths that its tokens follow; null for [B] and [B, K]
  bool (*needed)(const ObjectiveTraits& traits);
  bool is_scores = false;  // of shape [B, K]
};
absl::Span<const PreferenceInput> PreferenceInputs();

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_PREFERENCE_LOGPS_H_
