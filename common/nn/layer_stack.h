#ifndef PLUMB_COMMON_NN_LAYER_STACK_H_
#define PLUMB_COMMON_NN_LAYER_STACK_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "common/nn/linear.h"
#include "common/nn/parameters.h"

namespace plumb {

// What the model families build their layers from.

// Shape and dtype without storage.
at::Tensor MetaTensor(at::IntArrayRef sizes, at::ScalarType dtype);
Linear MetaLinear(int64_t in, int64_t out, bool bias, at::ScalarType dtype, bool input_major = false);

// name.weight and, if there, name.bias.
void VisitLinearParameters(const std::string& name, Linear& linear, ParameterVisitor visitor);

// A layer that owns all it needs, so that the backward pass can run it again.
using LayerFunction = std::function<at::Tensor(const at::Tensor& x, const ForwardOptions& options)>;

// layer(x, options), checkpointed when the options say so. The visitors show the layer's tensors.
at::Tensor RunOrCheckpoint(const LayerFunction& layer, const at::Tensor& x, const ForwardOptions& options,
                           absl::FunctionRef<void(ParameterVisitor)> visit_parameters,
                           absl::FunctionRef<void(LinearVisitor)> visit_linears);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LAYER_STACK_H_
