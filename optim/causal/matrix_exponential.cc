#include "optim/causal/matrix_exponential.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace plumb {
namespace {

constexpr int64_t kSmall = 48;  // below it a plain loop is faster than a call of BLAS
constexpr int kTerms = 16;
constexpr int kPowers = 4;          // that are kept: so many terms a product
constexpr double kLargestNorm = 1;  // 1 / 17! is the first term left out

void Product(const at::Tensor& a, const at::Tensor& b, at::Tensor* c) {
  const int64_t size = a.size(0);
  if (size > kSmall) {
    at::mm_out(*c, a, b);
    return;
  }
  const double *left = a.const_data_ptr<double>(), *right = b.const_data_ptr<double>();
  double* to = c->mutable_data_ptr<double>();
  for (int64_t i = 0; i < size; ++i) {
    double sums[kSmall] = {};
    for (int64_t k = 0; k < size; ++k) {
      const double factor = left[i * size + k];
      for (int64_t j = 0; j < size; ++j) sums[j] += factor * right[k * size + j];
    }
    std::copy(sums, sums + size, to + i * size);
  }
}

// The largest sum of a column's absolute values.
double Norm(const at::Tensor& matrix) { return matrix.abs().sum(0).max().item<double>(); }

}  // namespace

at::Tensor MatrixExponential(const at::Tensor& matrix) {
  TORCH_CHECK(matrix.dim() == 2 && matrix.size(0) == matrix.size(1) && matrix.scalar_type() == at::kDouble,
              "MatrixExponential: expected a square f64 matrix, not ", matrix.scalar_type(), " ",
              matrix.sizes());
  const int64_t size = matrix.size(0), count = matrix.numel();
  if (count == 0) return matrix.clone();
  const double norm = Norm(matrix);
  // A norm that is not a number gives a result that is none either.
  const int squarings = norm > kLargestNorm && std::isfinite(norm) ? std::ilogb(norm / kLargestNorm) + 1 : 0;
  at::Tensor powers[kPowers + 1];
  powers[1] = (matrix * std::ldexp(1.0, -squarings)).contiguous();
  for (int i = 2; i <= kPowers; ++i)
    Product(powers[i - 1], powers[1], &(powers[i] = at::empty_like(powers[1])));

  // Horner's scheme in the highest power, its coefficients polynomials in the lower ones.
  double inverse_factorials[kTerms + 1] = {1};
  for (int i = 1; i <= kTerms; ++i) inverse_factorials[i] = inverse_factorials[i - 1] / i;
  at::Tensor sum = powers[kPowers] * inverse_factorials[kTerms], product = at::empty_like(sum);
  for (int first = kTerms - kPowers; first >= 0; first -= kPowers) {
    double* to = sum.mutable_data_ptr<double>();
    for (int i = 1; i < kPowers; ++i) {
      const double* power = powers[i].const_data_ptr<double>();
      for (int64_t j = 0; j < count; ++j) to[j] += inverse_factorials[first + i] * power[j];
    }
    for (int64_t i = 0; i < size; ++i) to[i * size + i] += inverse_factorials[first];
    if (first == 0) break;
    Product(sum, powers[kPowers], &product);
    std::swap(sum, product);
  }
  for (int i = 0; i < squarings; ++i) {
    Product(sum, sum, &product);
    std::swap(sum, product);
  }
  return sum;
}

}  // namespace plumb
