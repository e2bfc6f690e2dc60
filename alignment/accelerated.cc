#include "alignment/accelerated.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace plumb {

void AcceleratedIterates::Start(absl::Span<const NamedParameter> parameters) {
  if (!last_.empty()) return;
  for (const NamedParameter& parameter : parameters) last_.push_back(parameter.tensor.detach().clone());
}

void AcceleratedIterates::Extrapolate(double alpha, absl::Span<const NamedParameter> parameters) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor weight = parameters[i].tensor.detach();
    const at::Tensor now = weight.clone();
    const at::Tensor wide = now.to(at::kDouble);
    weight.copy_(wide + alpha * (wide - last_[i].to(at::kDouble)));
    last_[i] = now;
  }
}

}  // namespace plumb
