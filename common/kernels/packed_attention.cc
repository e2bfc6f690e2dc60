#include "common/kernels/packed_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <vector>

namespace plumb {
namespace {

// Rows of the segment's ancestors, oldest first, then its own: [Hkv, T, D].
at::Tensor WithAncestors(const at::Tensor& x, absl::Span<const Segment> segments, int index) {
  std::vector<at::Tensor> parts;
  for (int i = index; i != Segment::kNoParent; i = segments[i].parent) {
    parts.insert(parts.begin(), x.narrow(0, segments[i].begin, segments[i].length()));
  }
  return (parts.size() == 1 ? parts[0] : at::cat(parts)).transpose(0, 1);
}

}  // namespace

at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           absl::Span<const Segment> segments, const AttentionOptions& options) {
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int64_t length = segments[i].length();
    if (length == 0) continue;
    const at::Tensor queries = q.narrow(0, segments[i].begin, length).transpose(0, 1).unsqueeze(0);
    const at::Tensor keys = WithAncestors(k, segments, i).unsqueeze(0);
    const at::Tensor values = WithAncestors(v, segments, i).unsqueeze(0);
    const int64_t total = keys.size(2);
    const bool plain = total == length && options.sliding_window == 0;
    std::optional<at::Tensor> mask;
    if (!plain) {
      const at::Tensor distance = at::arange(total - length, total, at::kLong).unsqueeze(1) -
                                  at::arange(total, at::kLong).unsqueeze(0);
      mask = distance.ge(0);
      if (options.sliding_window > 0) mask = mask->logical_and(distance.lt(options.sliding_window));
    }
    outputs.push_back(at::scaled_dot_product_attention(queries, keys, values, mask, 0.0, plain, options.scale,
                                                       /*enable_gqa=*/q.size(1) != k.size(1))
                          .squeeze(0)
                          .transpose(0, 1));
  }
  return outputs.empty() ? at::empty_like(q) : at::cat(outputs);
}

}  // namespace plumb
