#ifndef PLUMB_COMMON_NN_LLAMA_H_
#define PLUMB_COMMON_NN_LLAMA_H_

#include <string>
#include <vector>

#include "common/nn/attention.h"
#include "common/nn/causal_lm.h"
#include "common/nn/rope.h"

namespace plumb {

// Llama (Touvron et al. 2023, arXiv 2302.13971), Mistral (Jiang et al. 2023, arXiv 2310.06825) and Qwen2
// (Yang et al. 2024, arXiv 2407.10671): they differ in biases and in what a token sees, which config() says.
class Llama final : public CausalLm {
 public:
  // Weights are on the meta device: see MakeCausalLm.
  Llama(const ModelConfig& config, at::ScalarType dtype);

  const ModelConfig& config() const override { return config_; }
  at::Tensor Hidden(const PackedTokens& tokens, const ForwardOptions& options) override;
  at::Tensor HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) override;
  const at::Tensor& HeadWeight() const override {
    return config_.tie_word_embeddings ? embed_tokens_ : lm_head_;
  }
  void VisitParameters(ParameterVisitor visitor) override;
  void VisitLinears(LinearVisitor visitor) override;

 private:
  struct Layer {
    at::Tensor input_layernorm;
    Linear q_proj, k_proj, v_proj, o_proj;
    at::Tensor post_attention_layernorm;
    Linear gate_proj, up_proj, down_proj;
  };
  static void VisitLayer(Layer& layer, const std::string& prefix, ParameterVisitor visitor);
  static void VisitLayerLinears(Layer& layer, const std::string& prefix, LinearVisitor visitor);

  at::Tensor RunLayer(int64_t index, const at::Tensor& x, const RotaryTable& table,
                      const Attention& attention, const ForwardOptions& options) const;

  ModelConfig config_;
  at::Tensor embed_tokens_;
  std::vector<Layer> layers_;
  at::Tensor norm_;
  at::Tensor lm_head_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LLAMA_H_
