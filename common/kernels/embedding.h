#ifndef PLUMB_COMMON_KERNELS_EMBEDDING_H_
#define PLUMB_COMMON_KERNELS_EMBEDDING_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// Rows of `weight` [V, H] for `ids` [N] int64: [N, H], with the gradient of weight. The backward pass adds N
// rows to the gradient that an earlier micro-batch left, in the order of the tokens, rather than make one of
// [V, H] each time.
at::Tensor Embedding(const at::Tensor& weight, const at::Tensor& ids);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_EMBEDDING_H_
