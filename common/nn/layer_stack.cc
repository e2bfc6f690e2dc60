#include "common/nn/layer_stack.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <optional>
#include <vector>

#include "common/kernels/checkpoint.h"
#include "common/tensor/random.h"

namespace plumb {

at::Tensor MetaTensor(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::empty(sizes, at::TensorOptions().dtype(dtype).device(at::kMeta));
}

Linear MetaLinear(int64_t in, int64_t out, bool bias, at::ScalarType dtype, bool input_major) {
  Linear linear;
  linear.input_major = input_major;
  linear.weight = input_major ? MetaTensor({in, out}, dtype) : MetaTensor({out, in}, dtype);
  if (bias) linear.bias = MetaTensor({out}, dtype);
  return linear;
}

void VisitLinearParameters(const std::string& name, Linear& linear, ParameterVisitor visitor) {
  visitor(name + ".weight", linear.weight);
  if (linear.bias.defined()) visitor(name + ".bias", linear.bias);
}

at::Tensor RunOrCheckpoint(const LayerFunction& layer, const at::Tensor& x, const ForwardOptions& options,
                           absl::FunctionRef<void(ParameterVisitor)> visit_parameters,
                           absl::FunctionRef<void(LinearVisitor)> visit_linears) {
  if (!options.gradient_checkpointing || !at::GradMode::is_enabled()) return layer(x, options);
  std::vector<at::Tensor> parameters;
  visit_parameters([&](const std::string&, at::Tensor& parameter) { parameters.push_back(parameter); });
  visit_linears([&](const std::string&, Linear& linear) {
    if (linear.adapter == nullptr) return;
    parameters.push_back(linear.adapter->lora_a);
    parameters.push_back(linear.adapter->lora_b);
  });
  // The caller's random stream may be gone by the backward pass.
  std::optional<RandomStream> dropout;
  if (options.dropout != nullptr) dropout = *options.dropout;
  const auto compute = [layer, options, dropout](const at::Tensor& input) {
    ForwardOptions again = options;
    again.dropout = dropout.has_value() ? &*dropout : nullptr;
    return layer(input, again);
  };
  return Checkpoint(compute, x, std::move(parameters));
}

}  // namespace plumb
