#include "common/nn/gpt2.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>

#include "absl/strings/str_cat.h"
#include "common/kernels/embedding.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/layer_stack.h"

namespace plumb {
namespace {

template <typename Norm>
Norm MetaNorm(int64_t size, at::ScalarType dtype) {
  return {MetaTensor({size}, dtype), MetaTensor({size}, dtype)};
}

template <typename Norm>
void VisitNorm(const std::string& name, Norm& norm, ParameterVisitor visitor) {
  visitor(name + ".weight", norm.weight);
  visitor(name + ".bias", norm.bias);
}

}  // namespace

Gpt2::Gpt2(const ModelConfig& config, at::ScalarType dtype) : config_(config) {
  const int64_t hidden = config.hidden_size, mlp = config.intermediate_size;
  wte_ = MetaTensor({config.vocab_size, hidden}, dtype);
  wpe_ = MetaTensor({config.max_position_embeddings, hidden}, dtype);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    Layer layer;
    layer.ln_1 = MetaNorm<LayerNorm>(hidden, dtype);
    layer.c_attn = MetaLinear(hidden, 3 * hidden, /*bias=*/true, dtype, /*input_major=*/true);
    layer.attn_c_proj = MetaLinear(hidden, hidden, /*bias=*/true, dtype, /*input_major=*/true);
    layer.ln_2 = MetaNorm<LayerNorm>(hidden, dtype);
    layer.c_fc = MetaLinear(hidden, mlp, /*bias=*/true, dtype, /*input_major=*/true);
    layer.mlp_c_proj = MetaLinear(mlp, hidden, /*bias=*/true, dtype, /*input_major=*/true);
    layers_.push_back(std::move(layer));
  }
  ln_f_ = MetaNorm<LayerNorm>(hidden, dtype);
  if (!config.tie_word_embeddings) lm_head_ = MetaTensor({config.vocab_size, hidden}, dtype);
}

void Gpt2::VisitLayerLinears(Layer& layer, const std::string& prefix, LinearVisitor visitor) {
  visitor(prefix + "attn.c_attn", layer.c_attn);
  visitor(prefix + "attn.c_proj", layer.attn_c_proj);
  visitor(prefix + "mlp.c_fc", layer.c_fc);
  visitor(prefix + "mlp.c_proj", layer.mlp_c_proj);
}

void Gpt2::VisitLayer(Layer& layer, const std::string& prefix, ParameterVisitor visitor) {
  VisitNorm(prefix + "ln_1", layer.ln_1, visitor);
  VisitNorm(prefix + "ln_2", layer.ln_2, visitor);
  VisitLayerLinears(layer, prefix, [&](const std::string& name, Linear& linear) {
    VisitLinearParameters(name, linear, visitor);
  });
}

void Gpt2::VisitParameters(ParameterVisitor visitor) {
  visitor("transformer.wte.weight", wte_);
  visitor("transformer.wpe.weight", wpe_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    VisitLayer(layers_[i], absl::StrCat("transformer.h.", i, "."), visitor);
  }
  VisitNorm("transformer.ln_f", ln_f_, visitor);
  if (!config_.tie_word_embeddings) visitor("lm_head.weight", lm_head_);
}

void Gpt2::VisitLinears(LinearVisitor visitor) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    VisitLayerLinears(layers_[i], absl::StrCat("transformer.h.", i, "."), visitor);
  }
}

at::Tensor Gpt2::Embed(const PackedTokens& tokens) const {
  return Embedding(wte_, tokens.token_ids) + Embedding(wpe_, tokens.position_ids);
}

at::Tensor Gpt2::Normalize(const at::Tensor& x, const LayerNorm& norm) const {
  return at::layer_norm(x, {config_.hidden_size}, norm.weight, norm.bias, config_.norm_eps);
}

at::Tensor Gpt2::RunLayer(int64_t index, const at::Tensor& x, const Attention& attention,
                          const ForwardOptions& options) const {
  const Layer& layer = layers_[index];
  const at::Tensor qkv = layer.c_attn.Forward(Normalize(x, layer.ln_1), options);
  const auto heads = [&](int64_t part) {
    const at::Tensor projected = qkv.narrow(1, part * config_.hidden_size, config_.hidden_size);
    return projected.unflatten(1, {config_.num_attention_heads, config_.head_dim});
  };
  const at::Tensor attended = attention(index, heads(0), heads(1), heads(2)).flatten(1);
  const at::Tensor y = x + layer.attn_c_proj.Forward(attended, options);
  const at::Tensor wide = layer.c_fc.Forward(Normalize(y, layer.ln_2), options);
  return y + layer.mlp_c_proj.Forward(at::gelu(wide, config_.exact_gelu ? "none" : "tanh"), options);
}

at::Tensor Gpt2::Hidden(const PackedTokens& tokens, const ForwardOptions& options) {
  const Attention attention = SegmentAttention(config_, tokens);
  at::Tensor x = Embed(tokens);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const auto visit_layer = [&](ParameterVisitor visitor) { VisitLayer(layers_[i], "", visitor); };
    const auto visit_linears = [&](LinearVisitor visitor) { VisitLayerLinears(layers_[i], "", visitor); };
    const auto run = [this, i, attention](const at::Tensor& input, const ForwardOptions& pass) {
      return RunLayer(i, input, attention, pass);
    };
    x = RunOrCheckpoint(run, x, options, visit_layer, visit_linears);
  }
  return Normalize(x, ln_f_);
}

at::Tensor Gpt2::HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) {
  at::NoGradGuard no_grad;
  const Attention attention = CachedAttention(config_, tokens, cache);
  at::Tensor x = Embed(tokens);
  ForwardOptions options;
  options.decoding = true;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) x = RunLayer(i, x, attention, options);
  for (size_t i = 0; i < tokens.segments.size(); ++i) cache->Grow(i, tokens.segments[i].length());
  return Normalize(x, ln_f_);
}

}  // namespace plumb
