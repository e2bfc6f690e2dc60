#ifndef PLUMB_COMMON_KERNELS_GRADIENT_TESTING_H_
#define PLUMB_COMMON_KERNELS_GRADIENT_TESTING_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/functional/function_ref.h"

namespace plumb {

// f64 numbers without a pattern within (-scale, scale); each `phase` gives others.
at::Tensor Numbers(at::IntArrayRef sizes, double phase, double scale = 1);

// The largest |a - b|, in f64.
double Difference(const at::Tensor& a, const at::Tensor& b);

// Expects the gradients of `compute`, its elements weighed each differently, to be central differences within
// 1e-8. `inputs` are f64 leaves with a gradient that `compute` reads.
void ExpectGradientsAreFiniteDifferences(const std::vector<at::Tensor>& inputs,
                                         absl::FunctionRef<at::Tensor()> compute);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_GRADIENT_TESTING_H_
