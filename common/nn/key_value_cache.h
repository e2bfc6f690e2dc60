#ifndef PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_
#define PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/nn/model_config.h"

namespace plumb {

// Keys and values of the tokens that each of some sequences has seen, in blocks (common/kernels/
// paged_attention.h). Sequences may share blocks, as samples of one prompt do; who writes into a shared one
// gets a copy. A block goes with the last sequence that has it, so memory is what is in use.
class KeyValueCache {
 public:
  // `sequences` empty ones.
  KeyValueCache(const ModelConfig& config, at::ScalarType dtype, int64_t sequences);

  int64_t sequences() const { return lengths_.size(); }
  int64_t length(int64_t sequence) const { return lengths_[sequence]; }
  absl::Span<const at::Tensor> blocks(int64_t sequence) const { return blocks_[sequence]; }

  // Makes room for `count` more tokens of a sequence, in blocks that no other sequence has from here on.
  void Reserve(int64_t sequence, int64_t count);
  // Counts tokens that every layer has written.
  void Grow(int64_t sequence, int64_t count) { lengths_[sequence] += count; }
  // Keeps the first `length` tokens alone and lets go of blocks that are for none of them.
  void Truncate(int64_t sequence, int64_t length);
  // Makes sequence `to` begin with the first `length` tokens of `from`, which both then share.
  void Share(int64_t from, int64_t to, int64_t length);

  // How many blocks there are; one that is shared counts once.
  int64_t CountBlocks() const;

 private:
  int64_t layers_, heads_, head_dim_;
  at::ScalarType dtype_;
  std::vector<int64_t> lengths_;
  std::vector<std::vector<at::Tensor>> blocks_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_
