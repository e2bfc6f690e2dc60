#ifndef PLUMB_COMMON_KERNELS_PACKED_ATTENTION_H_
#define PLUMB_COMMON_KERNELS_PACKED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include "absl/types/span.h"
#include "common/tensor/packed.h"

namespace plumb {

struct AttentionOptions {
  double scale = 1;            // of the scores, usually 1 / sqrt(head_dim)
  int64_t sliding_window = 0;  // how many of the last tokens a token sees, itself included; 0: all
};

// Causal attention within each segment and to the whole of its ancestors (see common/tensor/packed.h).
// q [N, Hq, D]; k and v [N, Hkv, D], Hq a multiple of Hkv: head h reads key head h / (Hq / Hkv).
// Returns [N, Hq, D]. Scores live no longer than a tile of them; a segment with ancestors or a sliding window
// needs a mask of [its length, the length of its whole sequence] until the backward pass, the same for all
// heads.
at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           absl::Span<const Segment> segments, const AttentionOptions& options);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_PACKED_ATTENTION_H_
