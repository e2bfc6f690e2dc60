#include "common/nn/key_value_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace plumb {

namespace {
constexpr int64_t kFirstCapacity = 64;
}  // namespace

KeyValueCache::KeyValueCache(const ModelConfig& config, at::ScalarType dtype, int64_t sequences)
    : layers_(config.num_hidden_layers),
      heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      dtype_(dtype),
      lengths_(sequences, 0),
      capacities_(sequences, 0),
      keys_(layers_ * sequences),
      values_(layers_ * sequences) {}

void KeyValueCache::Reserve(int64_t sequence, int64_t count) {
  const int64_t length = lengths_[sequence], needed = length + count;
  if (needed <= capacities_[sequence]) return;
  const int64_t capacity = std::max({needed, 2 * capacities_[sequence], kFirstCapacity});
  for (int64_t layer = 0; layer < layers_; ++layer) {
    for (at::Tensor* tensor : {&keys(layer, sequence), &values(layer, sequence)}) {
      const at::Tensor larger = at::empty({heads_, capacity, head_dim_}, dtype_);
      if (length > 0) larger.narrow(1, 0, length).copy_(tensor->narrow(1, 0, length));
      *tensor = larger;
    }
  }
  capacities_[sequence] = capacity;
}

void KeyValueCache::Clear(int64_t sequence) {
  for (int64_t layer = 0; layer < layers_; ++layer) {
    keys(layer, sequence) = at::Tensor();
    values(layer, sequence) = at::Tensor();
  }
  lengths_[sequence] = capacities_[sequence] = 0;
}

void KeyValueCache::CopySequence(int64_t from, int64_t to) {
  Clear(to);
  const int64_t length = lengths_[from];
  Reserve(to, length);
  for (int64_t layer = 0; layer < layers_; ++layer) {
    keys(layer, to).narrow(1, 0, length).copy_(keys(layer, from).narrow(1, 0, length));
    values(layer, to).narrow(1, 0, length).copy_(values(layer, from).narrow(1, 0, length));
  }
  lengths_[to] = length;
}

}  // namespace plumb
