#include "common/nn/key_value_cache.h"

#include <set>

#include "common/kernels/paged_attention.h"

namespace plumb {
namespace {

int64_t BlocksFor(int64_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

KeyValueCache::KeyValueCache(const ModelConfig& config, at::ScalarType dtype, int64_t sequences)
    : layers_(config.num_hidden_layers),
      heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      dtype_(dtype),
      lengths_(sequences, 0),
      blocks_(sequences) {}

void KeyValueCache::Reserve(int64_t sequence, int64_t count) {
  std::vector<at::Tensor>& blocks = blocks_[sequence];
  if (count > 0 && lengths_[sequence] < static_cast<int64_t>(blocks.size()) * kBlockTokens &&
      blocks.back().use_count() > 1) {
    blocks.back() = blocks.back().clone();
  }
  while (static_cast<int64_t>(blocks.size()) < BlocksFor(lengths_[sequence] + count)) {
    blocks.push_back(EmptyBlock(layers_, heads_, head_dim_, dtype_));
  }
}

void KeyValueCache::Truncate(int64_t sequence, int64_t length) {
  lengths_[sequence] = length;
  blocks_[sequence].resize(BlocksFor(length));
}

void KeyValueCache::Share(int64_t from, int64_t to, int64_t length) {
  if (from == to) return Truncate(to, length);
  lengths_[to] = length;
  blocks_[to].assign(blocks_[from].begin(), blocks_[from].begin() + BlocksFor(length));
}

int64_t KeyValueCache::CountBlocks() const {
  std::set<const void*> distinct;
  for (const std::vector<at::Tensor>& blocks : blocks_) {
    for (const at::Tensor& block : blocks) distinct.insert(block.const_data_ptr());
  }
  return distinct.size();
}

}  // namespace plumb
