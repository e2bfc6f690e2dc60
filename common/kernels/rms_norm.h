#ifndef PLUMB_COMMON_KERNELS_RMS_NORM_H_
#define PLUMB_COMMON_KERNELS_RMS_NORM_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// x / sqrt(mean(x^2) + eps) * weight over the last dimension: x [N, H], weight [H] (Zhang & Sennrich 2019,
// arXiv 1910.07467). Sums are in f32 (f64 for f64); bf16 is rounded before the weight as in transformers.
at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_RMS_NORM_H_
