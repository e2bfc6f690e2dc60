#ifndef PLUMB_COMMON_NN_ATTENTION_H_
#define PLUMB_COMMON_NN_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "common/nn/model_config.h"
#include "common/tensor/packed.h"

namespace plumb {

class KeyValueCache;

// What the tokens of one pass see: from q [N, Hq, D] and k, v [N, Hkv, D] of a layer to [N, Hq, D]. It owns
// what it needs, so a layer that is computed again in the backward pass can call it again.
using Attention =
    std::function<at::Tensor(int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;

// Each token sees its segment up to itself, and its segment's ancestors.
Attention SegmentAttention(const ModelConfig& config, const PackedTokens& tokens);

// Segment i continues sequence i of the cache, which takes the new keys and values.
Attention CachedAttention(const ModelConfig& config, const PackedTokens& tokens, KeyValueCache* cache);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_ATTENTION_H_
