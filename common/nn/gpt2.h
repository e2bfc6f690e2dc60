#ifndef PLUMB_COMMON_NN_GPT2_H_
#define PLUMB_COMMON_NN_GPT2_H_

#include <string>
#include <vector>

#include "common/nn/attention.h"
#include "common/nn/causal_lm.h"

namespace plumb {

// GPT-2 (Radford et al. 2019): learned positions, LayerNorm, and weights laid out [in, out] as Hugging Face
// stores them.
class Gpt2 final : public CausalLm {
 public:
  // Weights are on the meta device: see MakeCausalLm.
  Gpt2(const ModelConfig& config, at::ScalarType dtype);

  const ModelConfig& config() const override { return config_; }
  at::Tensor Hidden(const PackedTokens& tokens, const ForwardOptions& options) override;
  at::Tensor HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) override;
  const at::Tensor& HeadWeight() const override { return config_.tie_word_embeddings ? wte_ : lm_head_; }
  void VisitParameters(ParameterVisitor visitor) override;
  void VisitLinears(LinearVisitor visitor) override;

 private:
  struct LayerNorm {
    at::Tensor weight, bias;
  };
  struct Layer {
    LayerNorm ln_1;
    Linear c_attn, attn_c_proj;
    LayerNorm ln_2;
    Linear c_fc, mlp_c_proj;
  };
  static void VisitLayer(Layer& layer, const std::string& prefix, ParameterVisitor visitor);
  static void VisitLayerLinears(Layer& layer, const std::string& prefix, LinearVisitor visitor);

  at::Tensor Embed(const PackedTokens& tokens) const;
  at::Tensor Normalize(const at::Tensor& x, const LayerNorm& norm) const;
  at::Tensor RunLayer(int64_t index, const at::Tensor& x, const Attention& attention,
                      const ForwardOptions& options) const;

  ModelConfig config_;
  at::Tensor wte_, wpe_;
  std::vector<Layer> layers_;
  LayerNorm ln_f_;
  at::Tensor lm_head_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_GPT2_H_
