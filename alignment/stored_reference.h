#ifndef PLUMB_ALIGNMENT_STORED_REFERENCE_H_
#define PLUMB_ALIGNMENT_STORED_REFERENCE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "alignment/reference_cache.h"
#include "common/data/examples.h"

namespace plumb {

// The reference's log-probabilities of a data set, by example.
class StoredReference {
 public:
  // `logps` are those of the answers of `pairs`, in their order.
  StoredReference(absl::Span<const TokenizedPreference> pairs, ReferenceLogps logps);

  // Of the predicted tokens of some examples' answers, one after the other.
  at::Tensor Chosen(absl::Span<const int64_t> examples) const;
  at::Tensor Rejected(absl::Span<const int64_t> examples) const;

 private:
  ReferenceLogps logps_;
  std::vector<int64_t> chosen_offsets_, rejected_offsets_;  // of example i's tokens
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_STORED_REFERENCE_H_
