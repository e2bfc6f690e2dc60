#ifndef PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_
#define PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "common/nn/model_config.h"

namespace plumb {

// Keys and values of the tokens that each sequence has seen. Room grows by doubling, so a token costs
// amortised constant time.
class KeyValueCache {
 public:
  KeyValueCache(const ModelConfig& config, at::ScalarType dtype, int64_t sequences);

  int64_t sequences() const { return lengths_.size(); }
  int64_t length(int64_t sequence) const { return lengths_[sequence]; }

  // [Hkv, capacity, D] of one layer of one sequence; rows from length() on are free.
  at::Tensor& keys(int64_t layer, int64_t sequence) { return keys_[layer * sequences() + sequence]; }
  at::Tensor& values(int64_t layer, int64_t sequence) { return values_[layer * sequences() + sequence]; }

  // Makes room for `count` more tokens of a sequence.
  void Reserve(int64_t sequence, int64_t count);
  // Counts tokens that every layer has written.
  void Grow(int64_t sequence, int64_t count) { lengths_[sequence] += count; }
  // Forgets a sequence and gives its memory back.
  void Clear(int64_t sequence);
  // Copies what sequence `from` has seen to `to`: a prompt of several samples is computed once.
  void CopySequence(int64_t from, int64_t to);

 private:
  int64_t layers_, heads_, head_dim_;
  at::ScalarType dtype_;
  std::vector<int64_t> lengths_, capacities_;
  std::vector<at::Tensor> keys_, values_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_KEY_VALUE_CACHE_H_
