#include "common/kernels/gradient_in_place.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/csrc/autograd/variable.h>

#include "common/kernels/bf16_product.h"
#include "common/kernels/fused.h"
#include "common/kernels/rounding.h"

namespace plumb {

at::Tensor GradientInPlace(const at::Tensor& weight) {
  if (!FusedKernels() || at::GradMode::is_enabled() || !weight.is_leaf() || !weight.requires_grad())
    return {};
  if (!torch::autograd::impl::hooks(weight).empty()) return {};
  const auto* chosen_inputs = torch::autograd::get_current_graph_task_exec_info();
  if (chosen_inputs != nullptr && !chosen_inputs->empty()) return {};
  const at::Tensor& gradient = weight.grad();
  if (!gradient.defined() || gradient.requires_grad() || !gradient.is_contiguous()) return {};
  return gradient.scalar_type() == WideType(weight.scalar_type()) ? gradient : at::Tensor();
}

at::Tensor TransposedProductGradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& weight) {
  const at::Tensor sum = GradientInPlace(weight);
  if (!sum.defined()) return at::mm(a.t(), b);
  if (sum.scalar_type() == a.scalar_type()) {
    sum.addmm_(a.t(), b);
  } else if (a.scalar_type() == at::kBFloat16 && HasBf16Products()) {
    AddBf16TransposedProduct(Bf16Factor(a), Bf16Factor(b), sum);
  } else {
    sum.add_(at::mm(a.t(), b));
  }
  return {};
}

}  // namespace plumb
