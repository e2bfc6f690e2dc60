#ifndef PLUMB_COMMON_NN_CAUSAL_LM_H_
#define PLUMB_COMMON_NN_CAUSAL_LM_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/nn/linear.h"
#include "common/nn/model_config.h"
#include "common/nn/parameters.h"
#include "common/tensor/packed.h"
#include "common/tensor/random.h"

namespace plumb {

class KeyValueCache;

// A decoder-only language model. H is the hidden size, V the size of the vocabulary, N the tokens of a packed
// batch. Token ids must be below V and, for GPT-2, positions below max_position_embeddings.
class CausalLm {
 public:
  virtual ~CausalLm() = default;

  virtual const ModelConfig& config() const = 0;
  at::ScalarType dtype() const { return HeadWeight().scalar_type(); }

  // Hidden states after the last norm, [N, H]: what the head is applied to. The model's own dropout is never
  // applied (as TRL's disable_dropout).
  virtual at::Tensor Hidden(const PackedTokens& tokens, const ForwardOptions& options = {}) = 0;

  // Hidden states [N, H] of new tokens that continue the sequences in `cache`, which grows by them. Segment i
  // of `tokens` belongs to sequence i of the cache and may be empty; no gradients.
  virtual at::Tensor HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) = 0;

  // The head's weight [V, H]; logits are hidden times its transpose (none of the supported families has a
  // bias there).
  virtual const at::Tensor& HeadWeight() const = 0;

  // Every weight, adapters not included (those: common/nn/lora.h).
  virtual void VisitParameters(ParameterVisitor visitor) = 0;

  // Where adapters go.
  virtual void VisitLinears(LinearVisitor visitor) = 0;
};

// Logits [N, V] of hidden states: for tests and for generation; training has common/kernels.
at::Tensor Logits(const CausalLm& model, const at::Tensor& hidden);

// A model of the right family and shapes whose weights are on the meta device: shapes without storage.
// VisitParameters then puts real ones there.
std::unique_ptr<CausalLm> MakeCausalLm(const ModelConfig& config, at::ScalarType dtype);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_CAUSAL_LM_H_
