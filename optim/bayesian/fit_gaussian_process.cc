#include "optim/bayesian/fit_gaussian_process.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/maximize_log_posterior.h"
#include "optim/core/cholesky.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

LogPosterior::LogPosterior(const at::Tensor& points, const at::Tensor& values,
                           const GaussianProcessOptions& options)
    : size_(points.size(0)),
      dimension_(points.size(1)),
      options_(options),
      hyper_(dimension_, options),
      columns_(points.t().contiguous()),
      values_(values.const_data_ptr<double>(), values.const_data_ptr<double>() + size_) {}

double LogPosterior::Evaluate(const double* theta, double* gradient, double* mean) const {
  const at::NoGradGuard no_grad;
  const int64_t n = size_;
  const GaussianProcessParameters parameters = Parameters(theta);
  std::vector<double> scaled(dimension_ * n), point(dimension_), squared(n);
  for (int64_t d = 0; d < dimension_; ++d) {
    const double* column = columns_.const_data_ptr<double>() + d * n;
    for (int64_t i = 0; i < n; ++i) scaled[d * n + i] = column[i] / parameters.lengthscales[d];
  }
  // The lower triangles of K, without the noise, and of the slopes g.
  at::Tensor covariance = at::zeros({n, n}, at::kDouble);
  std::vector<double> slopes(gradient == nullptr ? 0 : n * n);
  double* k = covariance.mutable_data_ptr<double>();
  const auto load = [&](int64_t i) {
    for (int64_t d = 0; d < dimension_; ++d) point[d] = scaled[d * n + i];
  };
  for (int64_t i = 0; i < n; ++i) {
    load(i);
    SquaredDistances(point.data(), scaled.data(), n, dimension_, i, squared.data());
    KernelValues(options_.kernel(), i, squared.data(), k + i * n,
                 gradient == nullptr ? nullptr : slopes.data() + i * n);
    for (int64_t j = 0; j < i; ++j) k[i * n + j] *= parameters.outputscale;
    k[i * n + i] = parameters.outputscale;
  }
  at::Tensor noisy = covariance.clone();
  noisy.diagonal().add_(parameters.noise);
  const absl::StatusOr<Cholesky> factor = Cholesky::Factor(noisy, {1e-8, 1e-4});
  if (!factor.ok()) return kNan;
  const at::Tensor inverse = factor->Inverse();
  const double* a = inverse.const_data_ptr<double>();

  const double log_determinant = factor->LogDeterminant();
  double ones_y = 0, ones_ones = 0;
  std::vector<double> ones(n, 1), alpha(n), residual(n);
  for (int64_t i = 0; i < n; ++i) {
    ones_y += Dot(a + i * n, values_.data(), n);
    ones_ones += Dot(a + i * n, ones.data(), n);
  }
  const double m = ones_y / ones_ones;
  for (int64_t i = 0; i < n; ++i) residual[i] = values_[i] - m;
  for (int64_t i = 0; i < n; ++i) alpha[i] = Dot(a + i * n, residual.data(), n);
  if (mean != nullptr) *mean = m;

  double value = -0.5 * (Dot(residual.data(), alpha.data(), n) + log_determinant + n * std::log(2 * M_PI));
  std::vector<double> slope(parameter_count());
  hyper_.AddLogPriors(theta, &value, slope.data());
  if (gradient == nullptr) return value / n;

  // d log N = tr((alpha alpha' - K^-1) dK) / 2; pairs below the diagonal stand for both.
  std::vector<double> weights(n), sums(dimension_);
  double trace = 0, outputscale_sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    load(i);
    const double diagonal = alpha[i] * alpha[i] - a[i * n + i];
    trace += diagonal;
    for (int64_t j = 0; j < i; ++j) weights[j] = alpha[i] * alpha[j] - a[i * n + j];
    if (hyper_.fits_outputscale()) {
      outputscale_sum += Dot(weights.data(), k + i * n, i) + 0.5 * diagonal * parameters.outputscale;
    }
    for (int64_t j = 0; j < i; ++j) weights[j] *= parameters.outputscale * slopes[i * n + j];
    AddWeightedSquares(point.data(), scaled.data(), n, dimension_, i, weights.data(), sums.data());
  }
  for (int64_t d = 0; d < dimension_; ++d) slope[d] += sums[d];
  if (hyper_.fits_noise()) slope[dimension_] += 0.5 * parameters.noise * trace;
  if (hyper_.fits_outputscale()) slope.back() += outputscale_sum;
  for (size_t p = 0; p < slope.size(); ++p) gradient[p] = slope[p] / n;
  return value / n;
}

absl::StatusOr<GaussianProcessFit> FitGaussianProcess(const at::Tensor& points, const at::Tensor& values,
                                                      const GaussianProcessOptions& options,
                                                      const at::Tensor& lower, const at::Tensor& upper) {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, kAny}));
  const int64_t size = points.size(0), dimension = points.size(1);
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {size}));
  if (size == 0 || dimension == 0) {
    return absl::InvalidArgumentError(absl::StrCat("observed points: shape [", size, ", ", dimension,
                                                   "], expected at least one point of one coordinate"));
  }
  at::Tensor low = lower.defined() ? lower : at::zeros({dimension}, at::kDouble);
  at::Tensor high = upper.defined() ? upper : at::ones({dimension}, at::kDouble);
  PLUMB_RETURN_IF_ERROR(CheckBounds(dimension, low, high));
  const at::NoGradGuard no_grad;
  const at::Tensor x = points.detach().to(at::kDouble).contiguous(),
                   y = values.detach().to(at::kDouble).contiguous();
  const at::Tensor width = high - low;
  for (int64_t d = 0; d < dimension; ++d) {
    const double w = width.const_data_ptr<double>()[d];
    if (w > 0 && std::isfinite(w)) continue;
    return absl::InvalidArgumentError(absl::StrCat("box: coordinate ", d, " is ", w, " wide"));
  }
  const double mean = y.mean().item<double>();
  double deviation = size > 1 ? y.std(/*unbiased=*/true).item<double>() : 1;
  // A spread that rounding made is none.
  if (deviation <= 1e-14 * std::abs(mean) || deviation == 0) deviation = 1;
  if (!std::isfinite(mean) || !std::isfinite(deviation) || !std::isfinite(x.sum().item<double>())) {
    // It knows which.
    GaussianProcessParameters any;
    any.lengthscales.assign(dimension, 1);
    any.noise = 1;
    const auto found = GaussianProcess::Create(options.kernel(), any, x, y);
    if (!found.ok()) return found.status();
    return absl::InvalidArgumentError("observed values: their variance is not finite");
  }

  const LogPosterior posterior((x - low) / width, (y - mean) / deviation, options);
  PLUMB_ASSIGN_OR_RETURN(HyperParameterFit found, FitHyperParameters(
                                                      [&](const double* theta, double* gradient) {
                                                        return posterior.Evaluate(theta, gradient, nullptr);
                                                      },
                                                      posterior.hyper_parameters(), options, size));
  double fitted_mean = 0;
  const double log_posterior = posterior.Evaluate(found.theta.data(), nullptr, &fitted_mean);
  GaussianProcessParameters standardized = posterior.Parameters(found.theta.data());
  standardized.mean = fitted_mean;
  GaussianProcessParameters parameters = standardized;
  for (int64_t d = 0; d < dimension; ++d) parameters.lengthscales[d] *= width.const_data_ptr<double>()[d];
  parameters.outputscale *= deviation * deviation;
  parameters.noise *= deviation * deviation;
  parameters.mean = mean + deviation * standardized.mean;
  PLUMB_ASSIGN_OR_RETURN(GaussianProcess model,
                         GaussianProcess::Create(options.kernel(), std::move(parameters), x, y));
  return GaussianProcessFit{std::move(model), std::move(standardized), log_posterior,
                            std::move(found.summary)};
}

}  // namespace plumb
