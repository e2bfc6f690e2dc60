#include "common/nn/causal_lm.h"

#include <ATen/ops/linear.h>

#include "common/nn/gpt2.h"
#include "common/nn/llama.h"

namespace plumb {

at::Tensor Logits(const CausalLm& model, const at::Tensor& hidden) {
  return at::linear(hidden, model.HeadWeight());
}

std::unique_ptr<CausalLm> MakeCausalLm(const ModelConfig& config, at::ScalarType dtype) {
  if (config.family == ModelConfig::Family::kGpt2) return std::make_unique<Gpt2>(config, dtype);
  return std::make_unique<Llama>(config, dtype);
}

}  // namespace plumb
