#ifndef PLUMB_COMMON_KERNELS_ROTARY_H_
#define PLUMB_COMMON_KERNELS_ROTARY_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// Rotates each head's halves, as Hugging Face lays them out: (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin).
// x [N, heads, D]; cos and sin [N, D/2], f32 or f64, without gradient. Returns [N, heads, D] of x's dtype.
at::Tensor ApplyRotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_ROTARY_H_
