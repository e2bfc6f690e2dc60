#include "optim/bayesian/gaussian_process_prior.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace plumb {

int64_t GrainOfRows(int64_t columns, int64_t dimension) {
  constexpr int64_t kGrain = 1 << 14;
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, columns * (dimension + 4)));
}

at::Tensor StationaryPrior::Means(const at::Tensor& points) const {
  return at::full({points.size(0)}, parameters_.mean, at::kDouble);
}

at::Tensor StationaryPrior::Variances(const at::Tensor& points) const {
  return at::full({points.size(0)}, parameters_.outputscale, at::kDouble);
}

at::Tensor StationaryPrior::Scaled(const at::Tensor& points) const {
  const int64_t count = points.size(0), dimension = points.size(1);
  at::Tensor scaled = at::empty({dimension, count}, at::kDouble);
  const double* from = points.const_data_ptr<double>();
  double* to = scaled.mutable_data_ptr<double>();
  for (int64_t d = 0; d < dimension; ++d) {
    const double lengthscale = parameters_.lengthscales[d];
    for (int64_t i = 0; i < count; ++i) to[d * count + i] = from[i * dimension + d] / lengthscale;
  }
  return scaled;
}

at::Tensor StationaryPrior::Covariances(const at::Tensor& points, const at::Tensor& others,
                                        at::Tensor* slopes) const {
  const int64_t rows = points.size(0), columns = others.size(0), dimension = points.size(1);
  at::Tensor values = at::empty({rows, columns}, at::kDouble);
  if (slopes != nullptr) *slopes = at::empty({rows, columns}, at::kDouble);
  const at::Tensor scaled = Scaled(others);
  const double *many = scaled.const_data_ptr<double>(), *from = points.const_data_ptr<double>();
  double* k = values.mutable_data_ptr<double>();
  double* g = slopes == nullptr ? nullptr : slopes->mutable_data_ptr<double>();
  at::parallel_for(0, rows, GrainOfRows(columns, dimension), [&](int64_t begin, int64_t end) {
    std::vector<double> x(dimension), squared(columns);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t d = 0; d < dimension; ++d) x[d] = from[i * dimension + d] / parameters_.lengthscales[d];
      SquaredDistances(x.data(), many, columns, dimension, columns, squared.data());
      double *row = k + i * columns, *slope = g == nullptr ? nullptr : g + i * columns;
      KernelValues(kernel_, columns, squared.data(), row, slope);
      for (int64_t j = 0; j < columns; ++j) row[j] *= parameters_.outputscale;
      for (int64_t j = 0; slope != nullptr && j < columns; ++j) slope[j] *= parameters_.outputscale;
    }
  });
  return values;
}

at::Tensor StationaryPrior::CovarianceGradient(const at::Tensor& points, const at::Tensor& others,
                                               const at::Tensor& slopes, const at::Tensor& weights) const {
  const int64_t rows = points.size(0), columns = others.size(0), dimension = points.size(1);
  at::Tensor gradient = at::zeros({rows, dimension}, at::kDouble);
  const at::Tensor scaled = Scaled(others), products = (slopes * weights).contiguous();
  const double *many = scaled.const_data_ptr<double>(), *from = points.const_data_ptr<double>();
  double* sums = gradient.mutable_data_ptr<double>();
  at::parallel_for(0, rows, GrainOfRows(columns, dimension), [&](int64_t begin, int64_t end) {
    std::vector<double> x(dimension);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t d = 0; d < dimension; ++d) x[d] = from[i * dimension + d] / parameters_.lengthscales[d];
      AddWeightedDifferences(x.data(), many, columns, dimension, columns,
                             products.const_data_ptr<double>() + i * columns, sums + i * dimension);
      for (int64_t d = 0; d < dimension; ++d) sums[i * dimension + d] /= -parameters_.lengthscales[d];
    }
  });
  return gradient;
}

at::Tensor StationaryPrior::GroupCovariances(const at::Tensor& points) const {
  const int64_t groups = points.size(0), q = points.size(1), dimension = points.size(2);
  at::Tensor values = at::empty({groups, q, q}, at::kDouble);
  const double* from = points.const_data_ptr<double>();
  double* to = values.mutable_data_ptr<double>();
  at::parallel_for(0, groups, GrainOfRows(q * q, dimension), [&](int64_t begin, int64_t end) {
    std::vector<double> squared(q * q);
    for (int64_t b = begin; b < end; ++b) {
      const double* x = from + b * q * dimension;
      for (int64_t i = 0; i < q * q; ++i) {
        double sum = 0;
        for (int64_t d = 0; d < dimension; ++d) {
          const double step =
              (x[i / q * dimension + d] - x[i % q * dimension + d]) / parameters_.lengthscales[d];
          sum += step * step;
        }
        squared[i] = sum;
      }
      KernelValues(kernel_, q * q, squared.data(), to + b * q * q, nullptr);
      for (int64_t i = 0; i < q * q; ++i) to[b * q * q + i] *= parameters_.outputscale;
    }
  });
  return values;
}

void StationaryPrior::AddGroupGradient(const at::Tensor& points, const at::Tensor& weights,
                                       at::Tensor& gradient) const {
  const int64_t groups = points.size(0), q = points.size(1), dimension = points.size(2);
  const double *from = points.const_data_ptr<double>(), *weight = weights.const_data_ptr<double>();
  double* sums = gradient.mutable_data_ptr<double>();
  for (int64_t b = 0; b < groups; ++b) {
    const double* x = from + b * q * dimension;
    for (int64_t i = 0; i < q * q; ++i) {
      double squared = 0, value, slope;
      for (int64_t d = 0; d < dimension; ++d) {
        const double step =
            (x[i / q * dimension + d] - x[i % q * dimension + d]) / parameters_.lengthscales[d];
        squared += step * step;
      }
      KernelValues(kernel_, 1, &squared, &value, &slope);
      slope *= parameters_.outputscale * weight[b * q * q + i];
      for (int64_t d = 0; d < dimension; ++d) {
        const double step = x[i / q * dimension + d] - x[i % q * dimension + d];
        sums[(b * q + i / q) * dimension + d] -=
            slope * step / (parameters_.lengthscales[d] * parameters_.lengthscales[d]);
      }
    }
  }
}

}  // namespace plumb
