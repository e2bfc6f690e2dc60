#ifndef PLUMB_OPTIM_CORE_DOT_H_
#define PLUMB_OPTIM_CORE_DOT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace plumb {

// The inner product of two vectors of one size, summed in f64 whatever they hold.
double Dot(const double* a, const double* b, int64_t size);
double Dot(const float* a, const float* b, int64_t size);

// Of all elements of two tensors of one size and dtype, f32 or f64, on the CPU. In parallel, yet the same
// bits for any number of threads, which BLAS does not promise.
double Dot(const at::Tensor& a, const at::Tensor& b);

// sqrt(Dot(a, a)).
double Norm(const at::Tensor& a);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_DOT_H_
