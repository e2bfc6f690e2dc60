#ifndef PLUMB_COMMON_NN_PARAMETERS_H_
#define PLUMB_COMMON_NN_PARAMETERS_H_

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/functional/function_ref.h"

namespace plumb {

// Sees every tensor of a model under the name that Hugging Face (or diffusers, or PEFT) gives it, always in
// the same order. Loading, saving, optimizers, counting and checkpoints all go through it; the visitor may
// replace the tensor.
using ParameterVisitor = absl::FunctionRef<void(const std::string& name, at::Tensor& parameter)>;

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_PARAMETERS_H_
