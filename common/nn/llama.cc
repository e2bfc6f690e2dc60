#include "common/nn/llama.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "absl/strings/str_cat.h"
#include "common/kernels/embedding.h"
#include "common/kernels/rms_norm.h"
#include "common/kernels/rotary.h"
#include "common/kernels/swiglu.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/layer_stack.h"

namespace plumb {

Llama::Llama(const ModelConfig& config, at::ScalarType dtype) : config_(config) {
  const int64_t hidden = config.hidden_size, mlp = config.intermediate_size;
  const int64_t query = config.num_attention_heads * config.head_dim;
  const int64_t key = config.num_key_value_heads * config.head_dim;
  embed_tokens_ = MetaTensor({config.vocab_size, hidden}, dtype);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    Layer layer;
    layer.input_layernorm = MetaTensor({hidden}, dtype);
    layer.q_proj = MetaLinear(hidden, query, config.query_key_value_bias, dtype);
    layer.k_proj = MetaLinear(hidden, key, config.query_key_value_bias, dtype);
    layer.v_proj = MetaLinear(hidden, key, config.query_key_value_bias, dtype);
    layer.o_proj = MetaLinear(query, hidden, config.attention_output_bias, dtype);
    layer.post_attention_layernorm = MetaTensor({hidden}, dtype);
    layer.gate_proj = MetaLinear(hidden, mlp, config.mlp_bias, dtype);
    layer.up_proj = MetaLinear(hidden, mlp, config.mlp_bias, dtype);
    layer.down_proj = MetaLinear(mlp, hidden, config.mlp_bias, dtype);
    layers_.push_back(std::move(layer));
  }
  norm_ = MetaTensor({hidden}, dtype);
  if (!config.tie_word_embeddings) lm_head_ = MetaTensor({config.vocab_size, hidden}, dtype);
}

void Llama::VisitLayerLinears(Layer& layer, const std::string& prefix, LinearVisitor visitor) {
  visitor(prefix + "self_attn.q_proj", layer.q_proj);
  visitor(prefix + "self_attn.k_proj", layer.k_proj);
  visitor(prefix + "self_attn.v_proj", layer.v_proj);
  visitor(prefix + "self_attn.o_proj", layer.o_proj);
  visitor(prefix + "mlp.gate_proj", layer.gate_proj);
  visitor(prefix + "mlp.up_proj", layer.up_proj);
  visitor(prefix + "mlp.down_proj", layer.down_proj);
}

void Llama::VisitLayer(Layer& layer, const std::string& prefix, ParameterVisitor visitor) {
  visitor(prefix + "input_layernorm.weight", layer.input_layernorm);
  visitor(prefix + "post_attention_layernorm.weight", layer.post_attention_layernorm);
  VisitLayerLinears(layer, prefix, [&](const std::string& name, Linear& linear) {
    VisitLinearParameters(name, linear, visitor);
  });
}

void Llama::VisitParameters(ParameterVisitor visitor) {
  visitor("model.embed_tokens.weight", embed_tokens_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    VisitLayer(layers_[i], absl::StrCat("model.layers.", i, "."), visitor);
  }
  visitor("model.norm.weight", norm_);
  if (!config_.tie_word_embeddings) visitor("lm_head.weight", lm_head_);
}

void Llama::VisitLinears(LinearVisitor visitor) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    VisitLayerLinears(layers_[i], absl::StrCat("model.layers.", i, "."), visitor);
  }
}

at::Tensor Llama::RunLayer(int64_t index, const at::Tensor& x, const RotaryTable& table,
                           const Attention& attention, const ForwardOptions& options) const {
  const Layer& layer = layers_[index];
  const auto heads = [this](const at::Tensor& projected) {
    return projected.view({projected.size(0), -1, config_.head_dim});
  };
  const at::Tensor normed = RmsNorm(x, layer.input_layernorm, config_.norm_eps);
  const at::Tensor q = ApplyRotary(heads(layer.q_proj.Forward(normed, options)), table.cos, table.sin);
  const at::Tensor k = ApplyRotary(heads(layer.k_proj.Forward(normed, options)), table.cos, table.sin);
  const at::Tensor v = heads(layer.v_proj.Forward(normed, options));
  const at::Tensor attended = attention(index, q, k, v).flatten(1);
  const at::Tensor y = x + layer.o_proj.Forward(attended, options);
  const at::Tensor mlp_input = RmsNorm(y, layer.post_attention_layernorm, config_.norm_eps);
  const at::Tensor gated =
      SwiGlu(layer.gate_proj.Forward(mlp_input, options), layer.up_proj.Forward(mlp_input, options));
  return y + layer.down_proj.Forward(gated, options);
}

at::Tensor Llama::Hidden(const PackedTokens& tokens, const ForwardOptions& options) {
  const RotaryTable table = MakeRotaryTable(config_, tokens, dtype());
  const Attention attention = SegmentAttention(config_, tokens);
  at::Tensor x = Embedding(embed_tokens_, tokens.token_ids);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const auto visit_layer = [&](ParameterVisitor visitor) { VisitLayer(layers_[i], "", visitor); };
    const auto visit_linears = [&](LinearVisitor visitor) { VisitLayerLinears(layers_[i], "", visitor); };
    const auto run = [this, i, table, attention](const at::Tensor& input, const ForwardOptions& pass) {
      return RunLayer(i, input, table, attention, pass);
    };
    x = RunOrCheckpoint(run, x, options, visit_layer, visit_linears);
  }
  return RmsNorm(x, norm_, config_.norm_eps);
}

at::Tensor Llama::HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) {
  at::NoGradGuard no_grad;
  const RotaryTable table = MakeRotaryTable(config_, tokens, dtype());
  const Attention attention = CachedAttention(config_, tokens, cache);
  at::Tensor x = Embedding(embed_tokens_, tokens.token_ids);
  ForwardOptions options;
  options.decoding = true;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) x = RunLayer(i, x, table, attention, options);
  for (size_t i = 0; i < tokens.segments.size(); ++i) cache->Grow(i, tokens.segments[i].length());
  return RmsNorm(x, norm_, config_.norm_eps);
}

}  // namespace plumb
