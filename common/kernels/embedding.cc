#include "common/kernels/embedding.h"

#include <ATen/Dispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>

#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_in_place.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"

namespace plumb {
namespace {

std::vector<at::Tensor> EmbeddingBackward(const BackwardPass& pass) {
  const at::Tensor &weight = pass.saved[0], &ids = pass.saved[1];
  const at::Tensor in_place = GradientInPlace(weight);
  const at::ScalarType wide = WideType(weight.scalar_type());
  const at::Tensor d_weight =
      in_place.defined() ? in_place : at::zeros(weight.sizes(), weight.options().dtype(wide));
  const at::Tensor gradient = pass.gradient.to(wide);
  const int64_t width = weight.size(1);
  const int64_t* id = ids.const_data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES(wide, "EmbeddingBackward", [&] {
    const scalar_t* from = gradient.const_data_ptr<scalar_t>();
    scalar_t* sums = d_weight.mutable_data_ptr<scalar_t>();
    for (int64_t i = 0; i < ids.numel(); ++i) {
      scalar_t* row = sums + id[i] * width;
      for (int64_t j = 0; j < width; ++j) row[j] += from[i * width + j];
    }
  });
  return {in_place.defined() ? at::Tensor() : d_weight.to(weight.scalar_type())};
}

}  // namespace

at::Tensor Embedding(const at::Tensor& weight, const at::Tensor& ids) {
  TORCH_CHECK(weight.dim() == 2 && ids.dim() == 1 && ids.scalar_type() == at::kLong, "Embedding: weight ",
              weight.sizes(), " and ids ", ids.scalar_type(), " ", ids.sizes(),
              "; expected [V, H] and int64 [N]");
  if (!FusedKernels() || !NeedsGradient({weight})) return at::embedding(weight, ids);
  const at::Tensor rows = ids.contiguous();
  const at::Tensor output = at::embedding(weight.detach(), rows);
  RecordBackward("EmbeddingBackward", {weight}, {weight, rows}, output, EmbeddingBackward);
  return output;
}

}  // namespace plumb
