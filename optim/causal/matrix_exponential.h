#ifndef PLUMB_OPTIM_CAUSAL_MATRIX_EXPONENTIAL_H_
#define PLUMB_OPTIM_CAUSAL_MATRIX_EXPONENTIAL_H_

#include <ATen/core/Tensor.h>

namespace plumb {

// exp(matrix) of a square f64 matrix, to about its last digits: exp(matrix / 2^s) by a Taylor series of 16
// terms (Paterson and Stockmeyer's scheme), squared s times. For the small matrices of which
// at::linalg_matrix_exp spends its time between operators.
at::Tensor MatrixExponential(const at::Tensor& matrix);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CAUSAL_MATRIX_EXPONENTIAL_H_
