#ifndef PLUMB_ALIGNMENT_SELECTION_CHES_H_
#define PLUMB_ALIGNMENT_SELECTION_CHES_H_

#include <ATen/core/Tensor.h>

#include "absl/types/span.h"
#include "common/tensor/packed.h"

namespace plumb {

// Centered hidden embedding similarity (Razin et al. 2024, "Unintentional Unalignment: Likelihood
// Displacement in Direct Preference Optimization", arXiv 2410.08847): how much learning a pair is expected to
// push down the likelihood of its own chosen answer. With h_t the hidden state after the last norm that
// predicts token t of an answer, from that of the prompt's last token to that of the answer's last token but
// one,
//
//   CHES = <sum_t h+_t, sum_t h-_t> - ||sum_t h+_t||^2
//
// and length-normalised the same with means for the sums. Pairs of the highest scores are those to leave out.
// The form of both is that of the authors' ches.py (princeton-nlp/unintentional-unalignment); its padded rows
// must be of one length for that, these need not.
//
// `states` [M, H] are the predicting states of a batch (PredictingStates of alignment/pair_logps.h), `chosen`
// and `rejected` [B] its answers within M. Gives [B] f64. An answer without predicted tokens counts as zero.
at::Tensor ChesScores(const at::Tensor& states, absl::Span<const Segment> chosen,
                      absl::Span<const Segment> rejected, bool length_normalized);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_CHES_H_
