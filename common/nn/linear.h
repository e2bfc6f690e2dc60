#ifndef PLUMB_COMMON_NN_LINEAR_H_
#define PLUMB_COMMON_NN_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"

namespace plumb {

class RandomStream;

// What a forward pass for training may do besides computing.
struct ForwardOptions {
  bool gradient_checkpointing =
      false;            // keep each layer's input alone, compute the layer again in the backward pass
  bool adapter = true;  // false: as if no LoRA were there (the reference model)
  const RandomStream* dropout = nullptr;  // null: no dropout
  bool decoding = false;  // products of few rows by a kernel for them, whose last bits are others
};

// A low-rank adapter (Hu et al. 2021, arXiv 2106.09685): adds scaling * B A dropout(x). As in PEFT it stays
// in f32 (f64 on an f64 model) whatever the layer's dtype is.
struct LoraWeights {
  std::string name;   // of the module it sits on; names its dropout's random stream
  at::Tensor lora_a;  // [r, in]
  at::Tensor lora_b;  // [out, r]
  double scaling = 1;
  double dropout = 0;
};

struct Linear {
  at::Tensor weight;         // [out, in], or [in, out] when input_major
  at::Tensor bias;           // [out], or undefined
  bool input_major = false;  // GPT-2's Conv1D
  std::shared_ptr<LoraWeights> adapter;

  int64_t in_features() const { return weight.size(input_major ? 0 : 1); }
  int64_t out_features() const { return weight.size(input_major ? 1 : 0); }

  // [N, in] -> [N, out].
  at::Tensor Forward(const at::Tensor& x, const ForwardOptions& options) const;
};

// Sees every linear layer but the head, under its module's name ("model.layers.0.self_attn.q_proj").
using LinearVisitor = absl::FunctionRef<void(const std::string& name, Linear& linear)>;

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LINEAR_H_
