#ifndef PLUMB_COMMON_KERNELS_LINEAR_PRODUCT_H_
#define PLUMB_COMMON_KERNELS_LINEAR_PRODUCT_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// x weight^T + bias of x [N, in] and weight [out, in], or x weight + bias of weight [in, out] when
// `input_major`; bias [out] may be undefined. As LibTorch's own, except that the backward pass adds the
// weight's gradient where it stands (see GradientInPlace): no second matrix of its size, and a product of
// bf16 is summed in f32 and not rounded where the gradient is f32.
at::Tensor LinearProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         bool input_major);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_LINEAR_PRODUCT_H_
