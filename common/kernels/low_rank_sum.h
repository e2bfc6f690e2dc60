#ifndef PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_
#define PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// y + scaling low_rank factor^T of y [N, out], low_rank [N, r] and factor [out, r], as a low-rank adapter
// adds to a layer's output. y may have 16 bits and the others more: the sum is rounded once. It stands where
// y stood; y may not be read again.
at::Tensor AddLowRank(const at::Tensor& y, const at::Tensor& low_rank, const at::Tensor& factor,
                      double scaling);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_
