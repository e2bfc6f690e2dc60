#ifndef PLUMB_COMMON_NN_ROLLOUT_LOGPS_H_
#define PLUMB_COMMON_NN_ROLLOUT_LOGPS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/nn/causal_lm.h"
#include "common/tensor/packed.h"

namespace plumb {

// Completions of one prompt without padding: the prompt once, and the completions branching off it. M is the
// number of their tokens. A completion's last token predicts nothing and is left out of `tokens`.
struct RolloutBatch {
  PackedTokens tokens;
  at::Tensor rows;                   // [M] int64: the row of `tokens` whose hidden state predicts
  at::Tensor targets;                // [M] int64: the token that is predicted
  std::vector<Segment> completions;  // of each completion, within M
};

// `prompt` has at least one token.
RolloutBatch PackRollouts(absl::Span<const int64_t> prompt,
                          absl::Span<const std::vector<int64_t>> completions);

// Log-probabilities [M] of the completions' tokens, with gradient where it is enabled. Computed twice they
// are the same numbers, bit by bit, with a gradient or without, when the weights, the batch (the same
// completions in the same order) and the count of threads are the same: the importance ratio exp(new - old)
// of a trainer's first step is exactly 1. For other batches that is up to the BLAS: a row of a product may
// depend on how many there are. That of LibTorch 2.11 on AVX2 rounds rows alike from 12 on, in f32.
at::Tensor RolloutLogps(CausalLm& model, const RolloutBatch& batch, const ForwardOptions& options = {});

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_ROLLOUT_LOGPS_H_
