#ifndef PLUMB_ALIGNMENT_SELECTION_FOLLOW_UP_LIKELIHOOD_H_
#define PLUMB_ALIGNMENT_SELECTION_FOLLOW_UP_LIKELIHOOD_H_

#include <cstdint>

#include "absl/types/span.h"
#include "alignment/selection/answer_pair.h"

namespace plumb {

// Something that a user may say after an answer ("Thanks, that is clear." "You did not answer my question."),
// with its log-probability after the prompt and that answer.
struct FollowUp {
  double logp = 0;     // sum over its tokens
  int64_t tokens = 0;  // 0 counts as 1
};

// Follow-up likelihood as reward (Zhang et al. 2024, "Aligning Language Models Using Follow-up Likelihood as
// Reward Signal", arXiv 2409.13948): an answer is as good as users would more likely say something content
// after it, and less likely something discontent. With F+ and F- the two sets of follow-ups, which are the
// same for all answers,
//
//   r(x, y) = mean over f in F+ of log p(f | x, y) / |f|  -  mean over f in F- of log p(f | x, y) / |f|
//
// That both sets are scored by log-probability is the paper's; that they are divided by the length and
// averaged could not be verified against its text. A set without follow-ups counts as 0.
double FollowUpReward(absl::Span<const FollowUp> positive, absl::Span<const FollowUp> negative);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_FOLLOW_UP_LIKELIHOOD_H_
