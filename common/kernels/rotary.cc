#include "common/kernels/rotary.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "common/kernels/blocks.h"
#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

// A head's halves by `direction` 1 forwards, -1 back.
template <typename T>
PLUMB_VECTORIZED void RotateHead(const T* x, const Wide<T>* cos, const Wide<T>* sin, Wide<T> direction,
                                 int64_t half, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const Wide<T> x1 = Widen(x[i]), x2 = Widen(x[half + i]), s = direction * sin[i];
    Store(x1 * cos[i] - x2 * s, y + i);
    Store(x2 * cos[i] + x1 * s, y + half + i);
  }
}

at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const int64_t tokens = x.size(0), heads = x.size(1), size = x.size(2), half = size / 2;
  const at::Tensor y = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, x.scalar_type(), "Rotate", [&] {
    using Angle = Wide<scalar_t>;
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const Angle* c = cos.const_data_ptr<Angle>();
    const Angle* s = sin.const_data_ptr<Angle>();
    scalar_t* out = y.mutable_data_ptr<scalar_t>();
    ForEachRowBlock(tokens, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        for (int64_t head = token * heads; head < (token + 1) * heads; ++head) {
          RotateHead(in + head * size, c + token * half, s + token * half, static_cast<Angle>(direction),
                     half, out + head * size);
        }
      }
    });
  });
  return y;
}

at::Tensor PlainRotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(2) / 2;
  const at::Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);
  const at::Tensor x1 = x.narrow(2, 0, half), x2 = x.narrow(2, half, half);
  return at::cat({x1 * c - x2 * s, x2 * c + x1 * s}, 2).to(x.scalar_type());
}

bool HasFusedBody(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::ScalarType angles = WideType(x.scalar_type());
  return FusedKernels() && x.scalar_type() != at::kHalf && x.is_cpu() && x.is_contiguous() &&
         cos.scalar_type() == angles && sin.scalar_type() == angles && cos.is_contiguous() &&
         sin.is_contiguous();
}

}  // namespace

at::Tensor ApplyRotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  if (!HasFusedBody(x, cos, sin)) return PlainRotary(x, cos, sin);
  TORCH_CHECK(x.dim() == 3 && cos.dim() == 2 && cos.size(0) == x.size(0) && cos.size(1) * 2 == x.size(2) &&
                  cos.sizes() == sin.sizes(),
              "ApplyRotary: x ", x.sizes(), ", cos ", cos.sizes(), ", sin ", sin.sizes(),
              "; expected [N, heads, D], [N, D/2], [N, D/2]");
  const at::Tensor y = Rotate(x, cos, sin, 1);
  if (NeedsGradient({x})) {
    RecordBackward("RotaryBackward", {x}, {cos, sin}, y, [](const BackwardPass& pass) {
      return std::vector<at::Tensor>{Rotate(pass.gradient, pass.saved[0], pass.saved[1], -1)};
    });
  }
  return y;
}

}  // namespace plumb
