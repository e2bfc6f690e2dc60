#include "common/tensor/packed.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <numeric>

namespace plumb {
namespace {

at::Tensor EmptyIds(int64_t size) { return at::empty({size}, at::TensorOptions().dtype(at::kLong)); }

// Whether the segments lie end to end over all of `rows`, as those of a PackedTokens do.
bool CoverAll(absl::Span<const Segment> segments, int64_t rows) {
  int64_t expected = 0;
  for (const Segment& segment : segments) {
    if (segment.begin != expected) return false;
    expected = segment.end;
  }
  return expected == rows;
}

}  // namespace

PackedTokens PackSequences(absl::Span<const std::vector<int64_t>> sequences) {
  return PackTree(sequences, std::vector<int>(sequences.size(), Segment::kNoParent));
}

PackedTokens PackTree(absl::Span<const std::vector<int64_t>> sequences, absl::Span<const int> parents) {
  TORCH_CHECK(parents.size() == sequences.size(), "PackTree: ", sequences.size(), " sequences, ",
              parents.size(), " parents");
  PackedTokens packed;
  std::vector<int64_t> end_positions;  // of each segment: tokens from the root to its end
  int64_t size = 0;
  for (int i = 0; i < static_cast<int>(sequences.size()); ++i) {
    const int parent = parents[i];
    TORCH_CHECK(parent == Segment::kNoParent || (parent >= 0 && parent < i), "PackTree: parent ", parent,
                " of segment ", i, " is not an earlier segment");
    const int64_t length = sequences[i].size();
    packed.segments.push_back({size, size + length, parent});
    end_positions.push_back((parent == Segment::kNoParent ? 0 : end_positions[parent]) + length);
    size += length;
  }
  packed.token_ids = EmptyIds(size);
  packed.position_ids = EmptyIds(size);
  int64_t* ids = packed.token_ids.mutable_data_ptr<int64_t>();
  int64_t* positions = packed.position_ids.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Segment& segment = packed.segments[i];
    std::copy(sequences[i].begin(), sequences[i].end(), ids + segment.begin);
    std::iota(positions + segment.begin, positions + segment.end, end_positions[i] - segment.length());
  }
  return packed;
}

at::Tensor SumSegments(const at::Tensor& values, absl::Span<const Segment> segments) {
  TORCH_CHECK(values.dim() == 1, "SumSegments: expected values [N], got ", values.sizes());
  int64_t rows = 0;
  for (const Segment& segment : segments) {
    TORCH_CHECK(0 <= segment.begin && segment.begin <= segment.end && segment.end <= values.size(0),
                "SumSegments: segment ", segment.begin, "..", segment.end, " is not within ", values.sizes());
    rows += segment.length();
  }
  at::Tensor row_of = EmptyIds(rows);
  at::Tensor segment_of = EmptyIds(rows);
  int64_t* row = row_of.mutable_data_ptr<int64_t>();
  int64_t* owner = segment_of.mutable_data_ptr<int64_t>();
  for (size_t i = 0; i < segments.size(); ++i) {
    std::iota(row, row + segments[i].length(), segments[i].begin);
    std::fill_n(owner, segments[i].length(), i);
    row += segments[i].length();
    owner += segments[i].length();
  }
  const at::Tensor chosen = CoverAll(segments, values.size(0)) ? values : values.index_select(0, row_of);
  // Long answers lose digits in f32, and N numbers cost nothing.
  const at::Tensor sums =
      at::zeros({static_cast<int64_t>(segments.size())}, at::TensorOptions().dtype(at::kDouble))
          .index_add(0, segment_of, chosen.to(at::kDouble));
  return values.scalar_type() == at::kDouble ? sums : sums.to(at::kFloat);
}

}  // namespace plumb
