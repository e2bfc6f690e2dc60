#include "common/kernels/rms_norm.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "common/kernels/blocks.h"
#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

// y = round(x / rms) * weight; returns 1 / rms.
template <typename T>
PLUMB_VECTORIZED Wide<T> NormRow(const T* x, const T* weight, Wide<T> eps, int64_t size, T* y) {
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += Widen(x[i]) * Widen(x[i]);
  const Wide<T> scale = 1 / std::sqrt(sum / size + eps);
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) Store(RoundTo<T>(Widen(x[i]) * scale) * Widen(weight[i]), y + i);
  return scale;
}

// With n = x scale and g = gradient weight: d_x = scale (g - n mean(g n)); d_weight += gradient n.
template <typename T>
PLUMB_VECTORIZED void NormRowBackward(const T* x, const T* weight, const T* gradient, Wide<T> scale,
                                      int64_t size, T* d_x, Wide<T>* d_weight) {
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) {
    const Wide<T> normal = Widen(x[i]) * scale, g = Widen(gradient[i]);
    d_weight[i] += g * normal;
    sum += g * Widen(weight[i]) * normal;
  }
  const Wide<T> mean = sum / size;
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const Wide<T> normal = Widen(x[i]) * scale, g = Widen(gradient[i]) * Widen(weight[i]);
    Store(scale * (g - normal * mean), d_x + i);
  }
}

// saved: x [N, H], weight [H], scales [N].
std::vector<at::Tensor> RmsNormBackward(const BackwardPass& pass) {
  const at::Tensor &x = pass.saved[0], &weight = pass.saved[1], &scales = pass.saved[2];
  const int64_t rows = x.size(0), size = x.size(1);
  const at::Tensor d_x = at::empty_like(x);
  const at::Tensor partial = at::zeros({BlockCount(rows, kRowBlockSize), size}, scales.options());
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "RmsNormBackward", [&] {
    using W = Wide<scalar_t>;
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* by = weight.const_data_ptr<scalar_t>();
    const scalar_t* gradient = pass.gradient.const_data_ptr<scalar_t>();
    const W* scale = scales.const_data_ptr<W>();
    scalar_t* out = d_x.mutable_data_ptr<scalar_t>();
    W* sums = partial.mutable_data_ptr<W>();
    ForEachRowBlock(rows, [&](int64_t block, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        NormRowBackward(in + i * size, by, gradient + i * size, scale[i], size, out + i * size,
                        sums + block * size);
      }
    });
  });
  return {d_x, pass.needed[1] ? partial.sum(0).to(weight.scalar_type()) : at::Tensor()};
}

at::Tensor FusedRmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const int64_t rows = x.size(0), size = x.size(1);
  const at::Tensor y = at::empty(x.sizes(), x.options());
  const at::Tensor scales = at::empty({rows}, x.options().dtype(WideType(x.scalar_type())));
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "RmsNorm", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* by = weight.const_data_ptr<scalar_t>();
    scalar_t* out = y.mutable_data_ptr<scalar_t>();
    auto* scale = scales.mutable_data_ptr<Wide<scalar_t>>();
    ForEachRowBlock(rows, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        scale[i] = NormRow(in + i * size, by, static_cast<Wide<scalar_t>>(eps), size, out + i * size);
      }
    });
  });
  if (NeedsGradient({x, weight})) {
    RecordBackward("RmsNormBackward", {x, weight}, {x, weight, scales}, y, RmsNormBackward);
  }
  return y;
}

at::Tensor PlainRmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(WideType(x.scalar_type()));
  const at::Tensor scale = at::rsqrt(at::mean(wide * wide, {-1}, /*keepdim=*/true) + eps);
  return (wide * scale).to(x.scalar_type()) * weight;
}

bool HasFusedBody(const at::Tensor& x, const at::Tensor& weight) {
  return FusedKernels() && x.scalar_type() == weight.scalar_type() && x.scalar_type() != at::kHalf &&
         x.is_cpu() && x.is_contiguous() && weight.is_contiguous();
}

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 1 && x.size(1) == weight.size(0), "RmsNorm: x ", x.sizes(),
              " and weight ", weight.sizes(), "; expected [N, H] and [H]");
  return HasFusedBody(x, weight) ? FusedRmsNorm(x, weight, eps) : PlainRmsNorm(x, weight, eps);
}

}  // namespace plumb
