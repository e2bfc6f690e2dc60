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

  // By how much the chosen answer is better, where the data says so; else undefined.
  at::Tensor margin;

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
};

// One member of PreferenceLogps, by the name that `//alignment:loss` reads it under. A new input is a member
// and a row.
struct PreferenceInput {
  const char* name;
  at::Tensor PreferenceLogps::*tensor;
  at::Tensor PreferenceLogps::*token_count;  // the lengths that its tokens follow; null for shape [B]
  bool (*needed)(const ObjectiveTraits& traits);
};
absl::Span<const PreferenceInput> PreferenceInputs();

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_PREFERENCE_LOGPS_H_
