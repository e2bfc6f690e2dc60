#include "common/kernels/linear_product.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <optional>
#include <vector>

#include "common/kernels/bf16_product.h"
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

// a^T b, which is added to `sum` where that is defined, else returned.
at::Tensor AddTransposedProduct(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum) {
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
  RecordBackward(
      "LinearProductBackward", inputs, {x, weight}, output, [input_major](const BackwardPass& pass) {
        const at::Tensor &x = pass.saved[0], &weight = pass.saved[1], &gradient = pass.gradient;
        std::vector<at::Tensor> gradients(pass.needed.size());
        if (pass.needed[0]) gradients[0] = at::mm(gradient, input_major ? weight.t() : weight);
        if (pass.needed[1]) {
          const at::Tensor sum = GradientInPlace(weight);
          gradients[1] =
              input_major ? AddTransposedProduct(x, gradient, sum) : AddTransposedProduct(gradient, x, sum);
        }
        if (gradients.size() > 2 && pass.needed[2]) gradients[2] = gradient.sum(0);
        return gradients;
      });
  return output;
}

}  // namespace plumb
