#ifndef PLUMB_COMMON_KERNELS_SWIGLU_H_
#define PLUMB_COMMON_KERNELS_SWIGLU_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// silu(gate) * up, element by element (Shazeer 2020, arXiv 2002.05202). bf16 is rounded after silu
// and after the product, as in transformers.
at::Tensor SwiGlu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_SWIGLU_H_
