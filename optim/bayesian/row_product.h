#ifndef PLUMB_OPTIM_BAYESIAN_ROW_PRODUCT_H_
#define PLUMB_OPTIM_BAYESIAN_ROW_PRODUCT_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// a b for small f64 matrices, [R, K] and [K, C]. Sums run over k in order whatever the other rows are, so
// that a row of the result is a function of its row of `a`: the same bits for any number of rows and of
// threads, which BLAS does not promise. Faster than BLAS while b stays in the cache.
at::Tensor RowProduct(const at::Tensor& a, const at::Tensor& b);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_ROW_PRODUCT_H_
