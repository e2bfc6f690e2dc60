#ifndef PLUMB_COMMON_TENSOR_PACKED_H_
#define PLUMB_COMMON_TENSOR_PACKED_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

// A run of tokens within a packed batch. A segment sees itself (causally) and the whole of its parent, the
// parent's parent, and so on: a prompt is stored once and its completions branch off it.
struct Segment {
  static constexpr int kNoParent = -1;
  int64_t begin = 0;  // first row
  int64_t end = 0;    // one past the last row
  int parent = kNoParent;
  int64_t length() const { return end - begin; }
};

// Sequences of different lengths laid end to end: no padding. N is the number of tokens.
struct PackedTokens {
  at::Tensor token_ids;     // [N] int64
  at::Tensor position_ids;  // [N] int64: position within the whole sequence (a parent's tokens count)
  std::vector<Segment> segments;

  int64_t size() const { return segments.empty() ? 0 : segments.back().end; }
};

// Packs whole sequences, none of which shares anything with another. Sequences may be empty.
PackedTokens PackSequences(absl::Span<const std::vector<int64_t>> sequences);

// Packs a tree: segment i holds sequences[i] and branches off parents[i] (an earlier one, or kNoParent).
// Throws c10::Error when a parent is not an earlier segment.
PackedTokens PackTree(absl::Span<const std::vector<int64_t>> sequences, absl::Span<const int> parents);

// Sums `values` [N] over each segment's rows -> [segments.size()], differentiable, zero for an empty segment.
// Segments may leave rows out or overlap. Summed in f64; f64 values give f64, all others f32.
at::Tensor SumSegments(const at::Tensor& values, absl::Span<const Segment> segments);

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_PACKED_H_
