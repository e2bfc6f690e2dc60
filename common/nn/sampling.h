#ifndef PLUMB_COMMON_NN_SAMPLING_H_
#define PLUMB_COMMON_NN_SAMPLING_H_

#include <cstdint>

#include "absl/types/span.h"

namespace plumb {

class GenerationOptions;

// Changes logits [V] as transformers' generate does, in its order: repetition penalty (Keskar et al. 2019,
// arXiv 1909.05858) over `previous_ids`; then, when sampling, temperature, top-k and top-p (Holtzman et al.
// 2020, arXiv 1904.09751). What is cut becomes -inf. Only tokens that may be among the likeliest are sorted.
void ProcessLogits(absl::Span<float> logits, absl::Span<const int64_t> previous_ids,
                   const GenerationOptions& options);

int64_t LikeliestToken(absl::Span<const float> logits);  // the first of equals

// The token at which the cumulative probability passes `uniform` in [0, 1).
int64_t SampleToken(absl::Span<const float> logits, double uniform);

// log sum exp(logits): a token's log-probability is its logit less this. Not finite where a logit is NaN or
// +inf, or all are -inf.
double LogSumExp(absl::Span<const float> logits);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_SAMPLING_H_
