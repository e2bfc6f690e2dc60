#ifndef PLUMB_COMMON_KERNELS_FEW_ROWS_PRODUCT_H_
#define PLUMB_COMMON_KERNELS_FEW_ROWS_PRODUCT_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// x weight^T of x [M, K] and weight [N, K], where M is so small that a BLAS, which first copies the weights
// to where its kernel wants them, spends most of its time on that: the weights are read once, where they are.
// A row's numbers do not depend on the other rows.
constexpr int64_t kFewRows = 32;

// Whether FewRowsProduct takes them and pays: f32 on the CPU, both contiguous, M up to kFewRows, no gradient
// asked for, FusedKernels().
bool IsFewRowsProduct(const at::Tensor& x, const at::Tensor& weight);

at::Tensor FewRowsProduct(const at::Tensor& x, const at::Tensor& weight);

// The same into `output` [M, N], f32 and contiguous.
void FewRowsProductOut(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& output);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_FEW_ROWS_PRODUCT_H_
