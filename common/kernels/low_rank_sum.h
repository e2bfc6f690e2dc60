#ifndef PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_
#define PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// y + scaling (x down^T) up^T of y [N, out], x [N, in], down [r, in] and up [out, r], as a low-rank adapter
// (Hu et al. 2021, LoRA, arXiv 2106.09685) adds to the output y of a layer whose input is x. Where y has 16
// bits, so have the factors of each product, as under autocast; sums are wider, and gradients of down and up
// have those's own dtype. The sum stands where y stood; y may not be read again.
at::Tensor AddLowRank(const at::Tensor& y, const at::Tensor& x, const at::Tensor& down, const at::Tensor& up,
                      double scaling);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_LOW_RANK_SUM_H_
