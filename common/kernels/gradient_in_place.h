#ifndef PLUMB_COMMON_KERNELS_GRADIENT_IN_PLACE_H_
#define PLUMB_COMMON_KERNELS_GRADIENT_IN_PLACE_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// For a kernel's backward pass whose gradient is as large as a vocabulary's weights: what it may add to where
// it stands, and then give no gradient back, rather than make another tensor of that size for autograd to
// add. That is the gradient which `weight`, a leaf, has already: from an earlier micro-batch, or zeros. It is
// of the weight's dtype, f32 where that has 16 bits. Undefined where there is none, where hooks or a choice
// of inputs want to see the gradient itself, and with unfused kernels.
at::Tensor GradientInPlace(const at::Tensor& weight);

// The gradient a^T b of `weight`, for a [K, M] and b [K, N] of one dtype: added where it stands, where there
// is such a place, and then undefined; else returned. A product of bf16 is summed in f32 and not rounded
// where the gradient is f32.
at::Tensor TransposedProductGradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& weight);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_GRADIENT_IN_PLACE_H_
