#include "optim/bayesian/covariance.h"

#include <cmath>

#include "common/kernels/vectorized.h"

namespace plumb {

PLUMB_VECTORIZED void SquaredDistances(const double* x, const double* points, int64_t stride,
                                       int64_t dimension, int64_t size, double* squared) {
  for (int64_t i = 0; i < size; ++i) squared[i] = 0;
  for (int64_t d = 0; d < dimension; ++d) {
    const double* row = points + d * stride;
    const double at = x[d];
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) squared[i] += (at - row[i]) * (at - row[i]);
  }
}

PLUMB_VECTORIZED void KernelValues(Kernel kernel, int64_t size, const double* squared, double* values,
                                   double* slopes) {
  const double root_3 = std::sqrt(3.0), root_5 = std::sqrt(5.0);
  switch (kernel) {
    case GaussianProcessOptions::RBF:
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) values[i] = std::exp(-0.5 * squared[i]);
      if (slopes == nullptr) break;
      for (int64_t i = 0; i < size; ++i) slopes[i] = values[i];
      break;
    case GaussianProcessOptions::MATERN_1_2:
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) values[i] = std::exp(-std::sqrt(squared[i]));
      if (slopes == nullptr) break;
      for (int64_t i = 0; i < size; ++i) slopes[i] = squared[i] > 0 ? values[i] / std::sqrt(squared[i]) : 0;
      break;
    case GaussianProcessOptions::MATERN_3_2:
      if (slopes != nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < size; ++i) slopes[i] = 3 * std::exp(-root_3 * std::sqrt(squared[i]));
      }
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) {
        const double s = root_3 * std::sqrt(squared[i]);
        values[i] = (1 + s) * std::exp(-s);
      }
      break;
    case GaussianProcessOptions::MATERN_5_2:
      if (slopes != nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < size; ++i) {
          const double s = root_5 * std::sqrt(squared[i]);
          slopes[i] = (5.0 / 3) * (1 + s) * std::exp(-s);
        }
      }
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) {
        const double s = root_5 * std::sqrt(squared[i]);
        values[i] = (1 + s + s * s / 3) * std::exp(-s);
      }
      break;
  }
}

PLUMB_VECTORIZED void AddWeightedDifferences(const double* x, const double* points, int64_t stride,
                                             int64_t dimension, int64_t size, const double* weights,
                                             double* sums) {
  for (int64_t d = 0; d < dimension; ++d) {
    const double* row = points + d * stride;
    const double at = x[d];
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; ++i) sum += weights[i] * (at - row[i]);
    sums[d] += sum;
  }
}

PLUMB_VECTORIZED void AddWeightedSquares(const double* x, const double* points, int64_t stride,
                                         int64_t dimension, int64_t size, const double* weights,
                                         double* sums) {
  for (int64_t d = 0; d < dimension; ++d) {
    const double* row = points + d * stride;
    const double at = x[d];
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; ++i) sum += weights[i] * (at - row[i]) * (at - row[i]);
    sums[d] += sum;
  }
}

}  // namespace plumb
