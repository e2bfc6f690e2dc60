#ifndef PLUMB_ALIGNMENT_PAIR_LOGPS_H_
#define PLUMB_ALIGNMENT_PAIR_LOGPS_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "alignment/objectives/preference_logps.h"
#include "alignment/pair_batch.h"
#include "alignment/reference_cache.h"
#include "common/kernels/linear_logprob.h"
#include "common/nn/causal_lm.h"

namespace plumb {

// The hidden state [M, H] that predicts each answer token of a batch.
at::Tensor PredictingStates(CausalLm& model, const PairBatch& batch, const ForwardOptions& options);

// The log-probability [M] of each answer token of a batch.
at::Tensor TokenLogps(CausalLm& model, const PairBatch& batch, const ForwardOptions& options);

// The policy's part of what objectives see: sums, lengths and token values of a batch, from its tokens' [M]
// log-probabilities.
PreferenceLogps PolicyLogps(const at::Tensor& token_logps, const PairBatch& batch);

// A reference's tokens [M], in the batch's order, as the rest of it.
void SetReferenceLogps(const at::Tensor& token_logps, const PairBatch& batch, PreferenceLogps* logps);

// Log-probabilities of all answers under `model` as it is, without gradients, batch_size pairs at a time.
// Before each batch `on_progress`, if there is one, is told how many pairs are done; an error of its ends the
// work.
absl::StatusOr<ReferenceLogps> ComputeReferenceLogps(
    CausalLm& model, absl::Span<const TokenizedPreference> pairs, bool with_rejected, int64_t batch_size,
    const std::function<absl::Status(int64_t done)>& on_progress = nullptr);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PAIR_LOGPS_H_
