#ifndef PLUMB_ALIGNMENT_REFERENCE_CACHE_H_
#define PLUMB_ALIGNMENT_REFERENCE_CACHE_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/data/examples.h"

namespace plumb {

// The reference model's log-probabilities of a data set's answers, in f32. Example i's tokens are rows
// [offsets[i], offsets[i + 1]) of chosen_token_logps; sums are made where they are needed.
struct ReferenceLogps {
  at::Tensor chosen_token_logps;    // [all predicted tokens of chosen answers]
  at::Tensor rejected_token_logps;  // [of rejected answers]; of size 0 when they were left out
};

// Takes them from `folder`/KEY.safetensors, or calls `compute` and writes them there. KEY is a hash of
// `model_hash` and of all tokens, which tokenizer, template, truncation and max_length have made what they
// are; a file that is damaged or does not fit is computed again and replaced.
absl::StatusOr<ReferenceLogps> CachedReferenceLogps(
    const std::string& folder, const std::string& model_hash, absl::Span<const TokenizedPreference> pairs,
    bool with_rejected, const std::function<absl::StatusOr<ReferenceLogps>()>& compute);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_REFERENCE_CACHE_H_
