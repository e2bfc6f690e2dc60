#include "optim/bayesian/derivative_process.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/bayesian/row_product.h"
#include "optim/core/dot.h"

namespace plumb {

absl::StatusOr<DerivativeProcess> DerivativeProcess::Create(
    Kernel kernel, GaussianProcessParameters parameters, const at::Tensor& points, const at::Tensor& values,
    const at::Tensor& gradients, const std::vector<double>& gradient_noise) {
  const int64_t dimension = parameters.lengthscales.size();
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, dimension}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {points.size(0)}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed gradients", gradients, {points.size(0), dimension}));
  if (kernel != GaussianProcessOptions::RBF && kernel != GaussianProcessOptions::MATERN_5_2) {
    return absl::InvalidArgumentError(absl::StrCat("kernel ", GaussianProcessOptions::Kernel_Name(kernel),
                                                   ": expected RBF or MATERN_5_2, whose derivatives exist"));
  }
  if (static_cast<int64_t>(gradient_noise.size()) != dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient noise: ", gradient_noise.size(), " numbers, expected ", dimension));
  }
  for (const double noise : gradient_noise) {
    if (noise >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("gradient noise ", noise, ": expected at least 0"));
  }
  // What else can be wrong is what a process of the values alone says.
  PLUMB_RETURN_IF_ERROR(GaussianProcess::Create(kernel, parameters, points, values).status());
  const at::NoGradGuard no_grad;
  DerivativeProcess result;
  result.kernel_ = kernel;
  result.parameters_ = std::move(parameters);
  result.points_ = points.detach().to(at::kDouble).contiguous().clone();
  const at::Tensor y = values.detach().to(at::kDouble).contiguous(),
                   dy = gradients.detach().to(at::kDouble).contiguous();
  result.values_ = y;
  result.gradients_ = dy;
  result.gradient_noise_ = gradient_noise;
  std::vector<double> residuals;
  for (int64_t i = 0; i < points.size(0); ++i) {
    result.observed_.push_back({i, -1});
    residuals.push_back(y.const_data_ptr<double>()[i] - result.parameters_.mean);
    for (int64_t d = 0; d < dimension; ++d) {
      const double derivative = dy.const_data_ptr<double>()[i * dimension + d];
      if (std::isnan(derivative)) continue;
      if (std::isinf(derivative)) {
        return absl::InvalidArgumentError(absl::StrCat("derivative ", d, " of observation ", i, ": ",
                                                       derivative, ", expected a finite number"));
      }
      result.observed_.push_back({i, d});
      residuals.push_back(derivative);
    }
  }
  const int64_t size = result.observed_.size();
  at::Tensor covariance = at::empty({size, size}, at::kDouble), residual = at::empty({size}, at::kDouble);
  std::copy(residuals.begin(), residuals.end(), residual.mutable_data_ptr<double>());
  double* k = covariance.mutable_data_ptr<double>();
  std::vector<double> gradient(dimension);
  for (int64_t i = 0; i < size; ++i) {
    const Observed& a = result.observed_[i];
    const double* x = result.points_.const_data_ptr<double>() + a.point * dimension;
    for (int64_t j = 0; j < size; ++j) {
      const double plain = result.Covariance(x, result.observed_[j], gradient.data());
      k[i * size + j] = a.coordinate < 0 ? plain : gradient[a.coordinate];
    }
    k[i * size + i] += a.coordinate < 0 ? result.parameters_.noise : gradient_noise[a.coordinate];
  }
  PLUMB_ASSIGN_OR_RETURN(result.factor_, Cholesky::Factor(covariance, {1e-8, 1e-4}));
  result.weights_ = result.factor_.Solve(residual);
  result.inverse_ = result.factor_.Inverse();
  const double fit = Dot(residual.const_data_ptr<double>(), result.weights_.const_data_ptr<double>(), size);
  result.log_marginal_likelihood_ =
      -0.5 * (fit + result.factor_.LogDeterminant() + size * std::log(2 * M_PI));
  return result;
}

absl::StatusOr<DerivativeProcess> DerivativeProcess::Believing(const at::Tensor& points) const {
  const at::Tensor unknown = at::full_like(points, std::numeric_limits<double>::quiet_NaN());
  return Create(kernel_, parameters_, at::cat({points_, points}),
                at::cat({values_, At(points, /*with_gradients=*/false).means}),
                at::cat({gradients_, unknown}), gradient_noise_);
}

KernelTerms TermsOf(Kernel kernel, const std::vector<double>& lengthscales, const double* x,
                    const double* other, double* difference) {
  KernelTerms terms;
  terms.squared = 0;
  for (size_t d = 0; d < lengthscales.size(); ++d) {
    const double l = lengthscales[d], step = x[d] - other[d];
    difference[d] = step / (l * l);
    terms.squared += step * difference[d];
  }
  KernelValues(kernel, 1, &terms.squared, &terms.k, &terms.g);
  terms.h =
      kernel == GaussianProcessOptions::RBF ? terms.k : 25.0 / 3 * std::exp(-std::sqrt(5 * terms.squared));
  return terms;
}

KernelTerms DerivativeProcess::TermsBetween(const double* x, const double* other, double* difference) const {
  KernelTerms terms = TermsOf(kernel_, parameters_.lengthscales, x, other, difference);
  terms.k *= parameters_.outputscale;
  terms.g *= parameters_.outputscale;
  terms.h *= parameters_.outputscale;
  return terms;
}

double DerivativeProcess::Covariance(const double* x, const Observed& observed, double* gradient) const {
  const int64_t dimension = points_.size(1), b = observed.coordinate;
  std::vector<double> difference(dimension);
  const KernelTerms terms =
      TermsBetween(x, points_.const_data_ptr<double>() + observed.point * dimension, difference.data());
  if (b < 0) {
    for (int64_t a = 0; gradient != nullptr && a < dimension; ++a) gradient[a] = -terms.g * difference[a];
    return terms.k;
  }
  for (int64_t a = 0; gradient != nullptr && a < dimension; ++a) {
    gradient[a] = -terms.h * difference[a] * difference[b];
    if (a == b) gradient[a] += terms.g / (parameters_.lengthscales[a] * parameters_.lengthscales[a]);
  }
  return terms.g * difference[b];
}

PointMoments DerivativeProcess::At(const at::Tensor& points, bool with_gradients) const {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = points.to(at::kDouble).contiguous();
  const int64_t count = rows.size(0), dimension = rows.size(1), size = observed_.size();
  PointMoments moments{at::empty({count}, at::kDouble), at::empty({count}, at::kDouble), {}, {}};
  if (with_gradients) {
    moments.mean_gradients = at::empty({count, dimension}, at::kDouble);
    moments.variance_gradients = at::empty({count, dimension}, at::kDouble);
  }
  at::Tensor k = at::empty({count, size}, at::kDouble);
  std::vector<double> slopes(with_gradients ? count * size * dimension : 0);
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t j = 0; j < size; ++j) {
      k.mutable_data_ptr<double>()[b * size + j] =
          Covariance(rows.const_data_ptr<double>() + b * dimension, observed_[j],
                     with_gradients ? &slopes[(b * size + j) * dimension] : nullptr);
    }
  }
  const at::Tensor projections = RowProduct(k, inverse_);
  const double* w = weights_.const_data_ptr<double>();
  const double floor = 1e-12 * parameters_.outputscale;
  for (int64_t b = 0; b < count; ++b) {
    const double *row = k.const_data_ptr<double>() + b * size,
                 *projection = projections.const_data_ptr<double>() + b * size;
    moments.means.mutable_data_ptr<double>()[b] = parameters_.mean + Dot(row, w, size);
    moments.variances.mutable_data_ptr<double>()[b] =
        std::max(parameters_.outputscale - Dot(row, projection, size), floor);
    for (int64_t d = 0; with_gradients && d < dimension; ++d) {
      double of_mean = 0, of_variance = 0;
      for (int64_t j = 0; j < size; ++j) {
        const double slope = slopes[(b * size + j) * dimension + d];
        of_mean += w[j] * slope;
        of_variance -= 2 * projection[j] * slope;
      }
      moments.mean_gradients.mutable_data_ptr<double>()[b * dimension + d] = of_mean;
      moments.variance_gradients.mutable_data_ptr<double>()[b * dimension + d] = of_variance;
    }
  }
  return moments;
}

}  // namespace plumb
