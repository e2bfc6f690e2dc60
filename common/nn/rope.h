#ifndef PLUMB_COMMON_NN_ROPE_H_
#define PLUMB_COMMON_NN_ROPE_H_

#include <ATen/core/Tensor.h>

#include "common/nn/model_config.h"
#include "common/tensor/packed.h"

namespace plumb {

// cos and sin of each token's angles, [N, head_dim / 2] each.
struct RotaryTable {
  at::Tensor cos;
  at::Tensor sin;
};

// Angles for the positions in `tokens`. Only the dynamic scaling depends on how long a sequence is; as
// several sequences may share a prompt, all segments of one tree are scaled by the longest of its sequences.
RotaryTable MakeRotaryTable(const ModelConfig& config, const PackedTokens& tokens, at::ScalarType dtype);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_ROPE_H_
