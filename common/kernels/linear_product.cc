#include "common/kernels/linear_product.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <optional>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_in_place.h"
#include "common/kernels/record_backward.h"

namespace plumb {
namespace {

at::Tensor Forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool input_major) {
  if (!input_major) {
    return at::linear(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
  }
  return bias.defined() ? at::addmm(bias, x, weight) : at::mm(x, weight);
}

}  // namespace

at::Tensor LinearProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         bool input_major) {
  if (!FusedKernels() || !NeedsGradient({weight}) || !x.is_cpu() || x.dim() != 2 ||
      x.scalar_type() != weight.scalar_type()) {
    return Forward(x, weight, bias, input_major);
  }
  std::vector<at::Tensor> inputs = {x, weight};
  if (bias.defined()) inputs.push_back(bias);
  const at::Tensor output =
      Forward(x.detach(), weight.detach(), bias.defined() ? bias.detach() : bias, input_major);
  RecordBackward("LinearProductBackward", inputs, {x, weight}, output,
                 [input_major](const BackwardPass& pass) {
                   const at::Tensor &x = pass.saved[0], &weight = pass.saved[1], &gradient = pass.gradient;
                   std::vector<at::Tensor> gradients(pass.needed.size());
                   if (pass.needed[0]) gradients[0] = at::mm(gradient, input_major ? weight.t() : weight);
                   if (pass.needed[1]) {
                     gradients[1] = input_major ? TransposedProductGradient(x, gradient, weight)
                                                : TransposedProductGradient(gradient, x, weight);
                   }
                   if (gradients.size() > 2 && pass.needed[2]) gradients[2] = gradient.sum(0);
                   return gradients;
                 });
  return output;
}

}  // namespace plumb
