#include "common/kernels/swiglu.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/silu.h>

#include <cmath>

#include "common/kernels/blocks.h"
#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

template <typename T>
PLUMB_VECTORIZED void Forward(const T* gate, const T* up, int64_t size, T* output) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const Wide<T> g = Widen(gate[i]);
    Store(g / (1 + std::exp(-g)) * Widen(up[i]), output + i);
  }
}

template <typename T>
PLUMB_VECTORIZED void Backward(const T* gate, const T* up, const T* gradient, int64_t size, T* d_gate,
                               T* d_up) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    const Wide<T> g = Widen(gate[i]), d = Widen(gradient[i]);
    const Wide<T> sigmoid = 1 / (1 + std::exp(-g)), silu = g * sigmoid;
    Store(d * Widen(up[i]) * (sigmoid + silu * (1 - sigmoid)), d_gate + i);
    Store(d * silu, d_up + i);
  }
}

std::vector<at::Tensor> SwiGluBackward(const BackwardPass& pass) {
  const at::Tensor& gate = pass.saved[0];
  const at::Tensor& up = pass.saved[1];
  const at::Tensor d_gate = at::empty_like(gate), d_up = at::empty_like(up);
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, gate.scalar_type(), "SwiGluBackward", [&] {
    const scalar_t* g = gate.const_data_ptr<scalar_t>();
    const scalar_t* u = up.const_data_ptr<scalar_t>();
    const scalar_t* d = pass.gradient.const_data_ptr<scalar_t>();
    scalar_t* dg = d_gate.mutable_data_ptr<scalar_t>();
    scalar_t* du = d_up.mutable_data_ptr<scalar_t>();
    ForEachBlock(gate.numel(), [&](int64_t, int64_t begin, int64_t end) {
      Backward(g + begin, u + begin, d + begin, end - begin, dg + begin, du + begin);
    });
  });
  return {d_gate, d_up};
}

bool HasFusedBody(const at::Tensor& gate, const at::Tensor& up) {
  return FusedKernels() && gate.scalar_type() != at::kHalf && gate.is_cpu() && gate.is_contiguous() &&
         up.is_contiguous();
}

}  // namespace

at::Tensor SwiGlu(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type(), "SwiGlu: gate ",
              gate.sizes(), " and up ", up.sizes(), " must have one shape and dtype");
  if (!HasFusedBody(gate, up)) return at::silu(gate) * up;
  const bool needs_gradient = NeedsGradient({gate, up});
  at::Tensor output = at::empty(gate.sizes(), gate.options());
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, gate.scalar_type(), "SwiGlu", [&] {
    const scalar_t* g = gate.const_data_ptr<scalar_t>();
    const scalar_t* u = up.const_data_ptr<scalar_t>();
    scalar_t* y = output.mutable_data_ptr<scalar_t>();
    ForEachBlock(gate.numel(), [&](int64_t, int64_t begin, int64_t end) {
      Forward(g + begin, u + begin, end - begin, y + begin);
    });
  });
  if (needs_gradient) RecordBackward("SwiGluBackward", {gate, up}, {gate, up}, output, SwiGluBackward);
  return output;
}

}  // namespace plumb
