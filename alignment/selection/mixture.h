#ifndef PLUMB_ALIGNMENT_SELECTION_MIXTURE_H_
#define PLUMB_ALIGNMENT_SELECTION_MIXTURE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"

namespace plumb {

// A preference mix (as of Tulu 3, Lambert et al. 2024, arXiv 2411.15124, and the dataset mixers of
// open-instruct and the alignment handbook): how much of each set goes into one.
struct MixtureSource {
  int64_t rows = 0;
  double weight = 1;  // not negative
};

struct MixedRow {
  int64_t source = 0;
  int64_t row = 0;
  bool operator==(const MixedRow& other) const { return source == other.source && row == other.row; }
};

// How many rows each source gives. Without `size` a weight is copies of the source: 0.5 is half of its rows,
// 2 is each row twice. With `size` weights are shares of the whole, which has that many rows (largest
// remainders first); a source that has fewer rows than its share gives some of them more than once. An error
// when all weights are 0, or when a source without rows has a share.
absl::StatusOr<std::vector<int64_t>> MixtureCounts(absl::Span<const MixtureSource> sources,
                                                   std::optional<int64_t> size);

// The rows of a mix: of each source all rows as often as they go into its count, and the rest at random
// without replacement. Shuffled; or, without `shuffle`, source after source, each in its order, copies after
// one another. Which rows of a source are taken depends on the seed, the source's place in the list and its
// numbers alone.
absl::StatusOr<std::vector<MixedRow>> Mixture(absl::Span<const MixtureSource> sources,
                                              std::optional<int64_t> size, bool shuffle,
                                              const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_MIXTURE_H_
