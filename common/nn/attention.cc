#include "common/nn/attention.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "common/kernels/packed_attention.h"
#include "common/kernels/paged_attention.h"
#include "common/nn/key_value_cache.h"

namespace plumb {
namespace {

AttentionOptions LayerOptions(const ModelConfig& config, int64_t layer) {
  AttentionOptions options;
  if (config.scale_attn_weights) options.scale /= std::sqrt(static_cast<double>(config.head_dim));
  if (config.scale_attn_by_inverse_layer_idx) options.scale /= static_cast<double>(layer + 1);
  options.sliding_window = config.sliding_windows[layer];
  return options;
}

std::vector<AttentionOptions> AllLayerOptions(const ModelConfig& config) {
  std::vector<AttentionOptions> options;
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    options.push_back(LayerOptions(config, layer));
  }
  return options;
}

}  // namespace

Attention SegmentAttention(const ModelConfig& config, const PackedTokens& tokens) {
  struct Shared {
    std::vector<Segment> segments;
    std::vector<AttentionOptions> options;
  };
  auto shared = std::make_shared<const Shared>(Shared{tokens.segments, AllLayerOptions(config)});
  return [shared](int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return PackedAttention(q, k, v, shared->segments, shared->options[layer]);
  };
}

Attention CachedAttention(const ModelConfig& config, const PackedTokens& tokens, KeyValueCache* cache) {
  std::vector<PagedSequence> sequences;
  for (size_t i = 0; i < tokens.segments.size(); ++i) {
    const Segment& segment = tokens.segments[i];
    if (segment.length() == 0) continue;
    cache->Reserve(i, segment.length());
    sequences.push_back({segment.begin, segment.end, cache->length(i), cache->blocks(i)});
  }
  return [sequences = std::move(sequences), options = AllLayerOptions(config)](
             int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    StoreInBlocks(k, v, sequences, layer);
    return PagedAttention(q, sequences, layer, options[layer]);
  };
}

}  // namespace plumb
