#ifndef PLUMB_ALIGNMENT_PAIR_BATCH_H_
#define PLUMB_ALIGNMENT_PAIR_BATCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "alignment/preference_data.h"
#include "common/tensor/packed.h"

namespace plumb {

// Pairs without padding: each prompt once, and its answers branching off it. Besides the tokens, which of
// them are predicted from where. B is the number of pairs, M that of predicted tokens: those of the answers,
// all chosen ones first, then all rejected ones, then all gold ones. An answer's first token is predicted
// from the prompt's last; with an empty prompt, from nothing, and it is left out.
struct PairBatch {
  PackedTokens tokens;
  at::Tensor rows;                // [M] int64: the row of `tokens` whose hidden state predicts
  at::Tensor targets;             // [M] int64: the token that is predicted
  std::vector<Segment> chosen;    // [B] within M
  std::vector<Segment> rejected;  // [B] within M; empty when rejected answers were left out
  std::vector<Segment> gold;      // [B] within M; empty when gold answers were left out
  at::Tensor chosen_last;    // [B] int64: the row of `tokens` of the answer's last token (of the prompt's,
  at::Tensor rejected_last;  //     when the answer is empty)

  int64_t chosen_tokens() const { return chosen.empty() ? 0 : chosen.back().end; }
  int64_t rejected_tokens() const { return rejected.empty() ? 0 : rejected.back().end - rejected[0].begin; }
  int64_t predicted_tokens() const { return rows.numel(); }
};

// share_prompts: a pair's prompt is computed once for both of its answers; without, each answer has its own,
// which gives the same numbers for more work.
PairBatch PackPairs(const Pairs& pairs, bool with_rejected, bool share_prompts = true,
                    bool with_gold = false);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PAIR_BATCH_H_
