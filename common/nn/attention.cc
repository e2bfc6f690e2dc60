#include "common/nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <cmath>
#include <memory>
#include <vector>

#include "common/kernels/packed_attention.h"
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
  for (size_t i = 0; i < tokens.segments.size(); ++i) cache->Reserve(i, tokens.segments[i].length());
  return [segments = tokens.segments, options = AllLayerOptions(config), cache](
             int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    at::Tensor output = at::empty(q.sizes(), q.options());
    for (size_t i = 0; i < segments.size(); ++i) {
      const int64_t begin = segments[i].begin, count = segments[i].length(), past = cache->length(i);
      if (count == 0) continue;
      cache->keys(layer, i).narrow(1, past, count).copy_(k.narrow(0, begin, count).transpose(0, 1));
      cache->values(layer, i).narrow(1, past, count).copy_(v.narrow(0, begin, count).transpose(0, 1));
      const at::Tensor distance = at::arange(past, past + count, at::kLong).unsqueeze(1) -
                                  at::arange(past + count, at::kLong).unsqueeze(0);
      at::Tensor mask = distance.ge(0);
      const int64_t window = options[layer].sliding_window;
      if (window > 0) mask = mask.logical_and(distance.lt(window));
      const at::Tensor attended =
          at::scaled_dot_product_attention(q.narrow(0, begin, count).transpose(0, 1).unsqueeze(0),
                                           cache->keys(layer, i).narrow(1, 0, past + count).unsqueeze(0),
                                           cache->values(layer, i).narrow(1, 0, past + count).unsqueeze(0),
                                           mask, 0.0, false, options[layer].scale, q.size(1) != k.size(1));
      output.narrow(0, begin, count).copy_(attended.squeeze(0).transpose(0, 1));
    }
    return output;
  };
}

}  // namespace plumb
