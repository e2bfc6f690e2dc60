#include "common/kernels/low_rank_sum.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_in_place.h"
#include "common/kernels/record_backward.h"

namespace plumb {
namespace {

std::vector<at::Tensor> Backward(const BackwardPass& pass, double scaling) {
  const at::Tensor &x = pass.saved[0], &low_rank = pass.saved[1], &down = pass.saved[2], &up = pass.saved[3];
  const at::ScalarType dtype = x.scalar_type();
  std::vector<at::Tensor> gradients(4);
  if (pass.needed[0]) gradients[0] = pass.gradient;
  if (pass.needed[1] || pass.needed[2]) {
    const at::Tensor d_low_rank = at::mm(pass.gradient, (up * scaling).to(dtype));
    if (pass.needed[1]) gradients[1] = at::mm(d_low_rank, down.to(dtype));
    if (pass.needed[2]) gradients[2] = TransposedProductGradient(d_low_rank, x, down);
  }
  if (pass.needed[3]) gradients[3] = TransposedProductGradient(pass.gradient, low_rank * scaling, up);
  return gradients;
}

}  // namespace

at::Tensor AddLowRank(const at::Tensor& y, const at::Tensor& x, const at::Tensor& down, const at::Tensor& up,
                      double scaling) {
  const at::ScalarType dtype = y.scalar_type();
  if (!FusedKernels() || !y.is_cpu() || x.scalar_type() != dtype) {
    const at::ScalarType wide = up.scalar_type();
    const at::Tensor low_rank = at::mm(x.to(wide), down.t());
    return at::addmm(y.to(wide), low_rank, up.t(), /*beta=*/1, scaling).to(dtype);
  }
  const bool needs_gradient = NeedsGradient({y, x, down, up});
  at::Tensor sum = y.detach(), low_rank;
  {
    const at::NoGradGuard no_grad;
    low_rank = at::mm(x, down.to(dtype).t());
    sum.addmm_(low_rank, (up * scaling).to(dtype).t());
  }
  if (needs_gradient) {
    RecordBackward("AddLowRankBackward", {y, x, down, up}, {x, low_rank, down, up}, sum,
                   [scaling](const BackwardPass& pass) { return Backward(pass, scaling); });
  }
  return sum;
}

}  // namespace plumb
