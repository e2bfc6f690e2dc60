#ifndef PLUMB_COMMON_KERNELS_PAGED_ATTENTION_H_
#define PLUMB_COMMON_KERNELS_PAGED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/types/span.h"
#include "common/kernels/packed_attention.h"

namespace plumb {

// Attention over keys and values in blocks of a fixed number of tokens, which need not lie side by side and
// which sequences may share (paged attention: Kwon et al. 2023, arXiv 2309.06180). For generation: it has no
// backward pass.
inline constexpr int64_t kBlockTokens = 32;

// Room for kBlockTokens tokens of all L layers, [L, 2, Hkv, kBlockTokens * D]: of each layer first the heads'
// keys, each [D, kBlockTokens], so that one vector holds a number of several tokens, then the heads' values,
// each [kBlockTokens, D]. dtype: f32, f64, bf16 or
// f16.
at::Tensor EmptyBlock(int64_t layers, int64_t key_heads, int64_t head_dim, at::ScalarType dtype);

// New tokens of one sequence, at least one: rows [begin, end) of a batch, behind `past` tokens that its
// blocks hold already. Block i is for tokens from i * kBlockTokens on; there is room for all.
struct PagedSequence {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t past = 0;
  absl::Span<const at::Tensor> blocks;
};

// Writes the new tokens' k and v [N, Hkv, D] of a layer into the blocks, which must not be shared from token
// `past` on.
void StoreInBlocks(const at::Tensor& k, const at::Tensor& v, absl::Span<const PagedSequence> sequences,
                   int64_t layer);

// Causal attention of q [N, Hq, D] to what the blocks hold up to each token, itself included; Hq is a
// multiple of Hkv, as in PackedAttention. Returns [N, Hq, D]; rows of no sequence are not written. bf16 and
// f16 are computed in f32. Parallel over sequences, key heads and runs of new tokens.
at::Tensor PagedAttention(const at::Tensor& q, absl::Span<const PagedSequence> sequences, int64_t layer,
                          const AttentionOptions& options);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_PAGED_ATTENTION_H_
