#include "optim/bayesian/co_kriging.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace plumb {

std::vector<double> CoKrigingCoefficients(const std::vector<CoKrigingLevel>& levels) {
  const int64_t count = levels.size();
  std::vector<double> c(count * count, 0);
  for (int64_t l = 0; l < count; ++l) {
    c[l * count + l] = 1;
    for (int64_t j = l - 1; j >= 0; --j) c[l * count + j] = c[l * count + j + 1] * levels[j + 1].ratio;
  }
  return c;
}

int64_t LevelOf(double s, int64_t count) {
  return std::clamp<int64_t>(std::llround(s * static_cast<double>(count - 1)), 0, count - 1);
}

CoKrigingPrior::CoKrigingPrior(Kernel kernel, const std::vector<CoKrigingLevel>& levels, int64_t coordinate)
    : coefficients_(CoKrigingCoefficients(levels)), coordinate_(coordinate) {
  for (const CoKrigingLevel& level : levels) {
    GaussianProcessParameters delta{level.lengthscales, level.variance, /*noise=*/0, /*mean=*/0};
    delta.lengthscales[coordinate] = std::numeric_limits<double>::infinity();
    deltas_.emplace_back(kernel, std::move(delta));
    means_.push_back(level.mean);
    variances_.push_back(level.variance);
  }
}

at::Tensor CoKrigingPrior::Coefficients(const at::Tensor& points, int64_t j) const {
  const int64_t dimension = points.size(-1), count = deltas_.size();
  at::Tensor coefficients = at::empty(points.sizes().slice(0, points.dim() - 1), at::kDouble);
  const double* from = points.const_data_ptr<double>();
  double* to = coefficients.mutable_data_ptr<double>();
  for (int64_t i = 0; i < coefficients.numel(); ++i) {
    to[i] = coefficients_[LevelOf(from[i * dimension + coordinate_], count) * count + j];
  }
  return coefficients;
}

at::Tensor CoKrigingPrior::Means(const at::Tensor& points) const {
  at::Tensor means = at::empty({points.size(0)}, at::kDouble);
  const double* from = points.const_data_ptr<double>();
  for (int64_t i = 0; i < points.size(0); ++i) {
    const double s = from[i * points.size(1) + coordinate_];
    means.mutable_data_ptr<double>()[i] = means_[LevelOf(s, means_.size())];
  }
  return means;
}

at::Tensor CoKrigingPrior::Variances(const at::Tensor& points) const {
  at::Tensor variances = at::zeros({points.size(0)}, at::kDouble);
  for (size_t j = 0; j < deltas_.size(); ++j)
    variances.add_(Coefficients(points, j).square_(), variances_[j]);
  return variances;
}

at::Tensor CoKrigingPrior::Covariances(const at::Tensor& points, const at::Tensor& others,
                                       at::Tensor* slopes) const {
  at::Tensor sum = at::zeros({points.size(0), others.size(0)}, at::kDouble);
  std::vector<at::Tensor> of_deltas(deltas_.size());
  for (size_t j = 0; j < deltas_.size(); ++j) {
    const at::Tensor both = Coefficients(points, j).unsqueeze(1) * Coefficients(others, j);
    sum.addcmul_(deltas_[j].Covariances(points, others, slopes == nullptr ? nullptr : &of_deltas[j]), both);
    if (slopes != nullptr) of_deltas[j].mul_(both);
  }
  if (slopes != nullptr) *slopes = at::stack(of_deltas);
  return sum;
}

at::Tensor CoKrigingPrior::CovarianceGradient(const at::Tensor& points, const at::Tensor& others,
                                              const at::Tensor& slopes, const at::Tensor& weights) const {
  at::Tensor gradient = at::zeros(points.sizes(), at::kDouble);
  for (size_t j = 0; j < deltas_.size(); ++j) {
    gradient.add_(deltas_[j].CovarianceGradient(points, others, slopes.select(0, j), weights));
  }
  return gradient;
}

at::Tensor CoKrigingPrior::GroupCovariances(const at::Tensor& points) const {
  const int64_t q = points.size(1);
  at::Tensor sum = at::zeros({points.size(0), q, q}, at::kDouble);
  for (size_t j = 0; j < deltas_.size(); ++j) {
    const at::Tensor c = Coefficients(points, j);
    sum.addcmul_(deltas_[j].GroupCovariances(points), c.unsqueeze(2) * c.unsqueeze(1));
  }
  return sum;
}

void CoKrigingPrior::AddGroupGradient(const at::Tensor& points, const at::Tensor& weights,
                                      at::Tensor& gradient) const {
  for (size_t j = 0; j < deltas_.size(); ++j) {
    const at::Tensor c = Coefficients(points, j);
    deltas_[j].AddGroupGradient(points, (weights * c.unsqueeze(2) * c.unsqueeze(1)).contiguous(), gradient);
  }
}

}  // namespace plumb
