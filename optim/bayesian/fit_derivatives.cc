#include "optim/bayesian/fit_derivatives.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/status/status_macros.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/maximize_log_posterior.h"
#include "optim/core/cholesky.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

DerivativeLogPosterior::DerivativeLogPosterior(const at::Tensor& points, const at::Tensor& values,
                                               const at::Tensor& gradients,
                                               const GaussianProcessOptions& options,
                                               std::optional<double> noise_ratio)
    : dimension_(points.size(1)),
      options_(options),
      noise_ratio_(noise_ratio),
      hyper_(dimension_, options),
      points_(points.contiguous()),
      rows_(points.size(0)) {
  const at::Tensor y = values.contiguous(), dy = gradients.contiguous();
  const auto add = [&](int64_t point, int64_t coordinate, double number) {
    rows_[point].push_back({size_++, coordinate});
    observed_.push_back(number);
    ones_.push_back(coordinate < 0 ? 1 : 0);
  };
  for (int64_t i = 0; i < points.size(0); ++i) {
    add(i, -1, y.const_data_ptr<double>()[i]);
    for (int64_t d = 0; d < dimension_; ++d) {
      const double derivative = dy.const_data_ptr<double>()[i * dimension_ + d];
      if (!std::isnan(derivative)) add(i, d, derivative);
    }
  }
}

std::vector<double> DerivativeLogPosterior::GradientNoise(const GaussianProcessParameters& parameters) const {
  const double noise = noise_ratio_.has_value() ? *noise_ratio_ * parameters.outputscale : parameters.noise;
  std::vector<double> result;
  for (const double l : parameters.lengthscales) result.push_back(noise / (l * l));
  return result;
}

void DerivativeLogPosterior::SetPair(int64_t i, int64_t j, const GaussianProcessParameters& parameters,
                                     Pair* pair) const {
  const double *x = points_.const_data_ptr<double>() + i * dimension_,
               *other = points_.const_data_ptr<double>() + j * dimension_;
  pair->terms = TermsOf(options_.kernel(), parameters.lengthscales, x, other, pair->difference.data());
  for (int64_t d = 0; d < dimension_; ++d) pair->squared[d] = (x[d] - other[d]) * pair->difference[d];
  if (options_.kernel() == GaussianProcessOptions::RBF) {
    pair->m = pair->terms.k;
    return;
  }
  const double root = std::sqrt(5 * pair->terms.squared);
  // It is multiplied by a fourth power of what it is infinite in.
  pair->m = root > 0 ? 5 * pair->terms.h / root : 0;
}

double DerivativeLogPosterior::Evaluate(const double* theta, double* gradient, double* mean) const {
  const at::NoGradGuard no_grad;
  const int64_t n = size_;
  const GaussianProcessParameters parameters = Parameters(theta);
  const std::vector<double> gradient_noise = GradientNoise(parameters);
  const double scale = parameters.outputscale;
  Pair pair;
  pair.difference.resize(dimension_);
  pair.squared.resize(dimension_);
  const std::vector<double>&D = pair.difference, &q = pair.squared;
  const auto own = [&](int64_t d) { return 1 / (parameters.lengthscales[d] * parameters.lengthscales[d]); };

  at::Tensor covariance = at::zeros({n, n}, at::kDouble);
  double* k = covariance.mutable_data_ptr<double>();
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (size_t j = 0; j <= i; ++j) {
      SetPair(i, j, parameters, &pair);
      for (const auto& [p, a] : rows_[i]) {
        for (const auto& [r, b] : rows_[j]) {
          k[p * n + r] = scale * DerivativeCovariance(pair.terms, D.data(), parameters.lengthscales, a, b);
        }
      }
    }
    for (const auto& [p, a] : rows_[i]) k[p * n + p] += a < 0 ? parameters.noise : gradient_noise[a];
  }
  const absl::StatusOr<Cholesky> factor = Cholesky::Factor(covariance, {1e-8, 1e-4});
  if (!factor.ok()) return kNan;
  const at::Tensor inverse = factor->Inverse();
  const double* inverted = inverse.const_data_ptr<double>();

  double ones_y = 0, ones_ones = 0;
  for (int64_t p = 0; p < n; ++p) {
    if (ones_[p] == 0) continue;
    ones_y += Dot(inverted + p * n, observed_.data(), n);
    ones_ones += Dot(inverted + p * n, ones_.data(), n);
  }
  const double constant = ones_y / ones_ones;
  if (mean != nullptr) *mean = constant;
  std::vector<double> residual(n), alpha(n);
  for (int64_t p = 0; p < n; ++p) residual[p] = observed_[p] - constant * ones_[p];
  for (int64_t p = 0; p < n; ++p) alpha[p] = Dot(inverted + p * n, residual.data(), n);

  double value =
      -0.5 * (Dot(residual.data(), alpha.data(), n) + factor->LogDeterminant() + n * std::log(2 * M_PI));
  std::vector<double> slope(parameter_count());
  hyper_.AddLogPriors(theta, &value, slope.data());
  if (gradient == nullptr) return value / n;

  // d log N = tr((alpha alpha' - K^-1) dK) / 2; pairs of different points stand for both orders.
  double of_noise = 0, of_scale = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (size_t j = 0; j <= i; ++j) {
      SetPair(i, j, parameters, &pair);
      for (const auto& [p, a] : rows_[i]) {
        for (const auto& [r, b] : rows_[j]) {
          double weight = alpha[p] * alpha[r] - inverted[p * n + r];
          if (i == j) weight *= 0.5;
          double element = k[p * n + r];
          if (p == r) {
            const double noise = a < 0 ? parameters.noise : gradient_noise[a];
            element -= noise;
            if (a < 0 || !noise_ratio_.has_value()) of_noise += weight * noise;
            if (a >= 0 && noise_ratio_.has_value()) of_scale += weight * noise;
            if (a >= 0) slope[a] -= 2 * weight * noise;
          }
          of_scale += weight * element;
          weight *= scale;
          if (a >= 0 && b >= 0) {
            // Parts that each lengthscale has, and those of the derivatives' own coordinates.
            const double common = (a == b ? pair.terms.h * own(a) : 0) - pair.m * D[a] * D[b];
            for (int64_t c = 0; c < dimension_; ++c) slope[c] += weight * q[c] * common;
            if (a == b) slope[a] -= 2 * weight * pair.terms.g * own(a);
            slope[a] += 2 * weight * pair.terms.h * D[a] * D[b];
            slope[b] += 2 * weight * pair.terms.h * D[a] * D[b];
          } else if (a < 0 && b < 0) {
            for (int64_t c = 0; c < dimension_; ++c) slope[c] += weight * pair.terms.g * q[c];
          } else {
            const int64_t d = std::max(a, b);
            const double step = a < 0 ? D[d] : -D[d];
            for (int64_t c = 0; c < dimension_; ++c) slope[c] += weight * pair.terms.h * q[c] * step;
            slope[d] -= 2 * weight * pair.terms.g * step;
          }
        }
      }
    }
  }
  if (hyper_.fits_noise()) slope[dimension_] += of_noise;
  if (hyper_.fits_outputscale()) slope.back() += of_scale;
  for (size_t p = 0; p < slope.size(); ++p) gradient[p] = slope[p] / n;
  return value / n;
}

absl::StatusOr<GaussianProcess> FitGaussianProcessWithDerivatives(const at::Tensor& points,
                                                                  const at::Tensor& values,
                                                                  const at::Tensor& gradients,
                                                                  const GaussianProcessOptions& options,
                                                                  std::optional<double> noise_ratio) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = points.detach().to(at::kDouble), y = values.detach().to(at::kDouble),
                   dy = gradients.detach().to(at::kDouble);
  // It knows what is wrong with these.
  GaussianProcessParameters any;
  any.lengthscales.assign(x.dim() == 2 ? x.size(1) : 0, 1);
  any.noise = 1;
  PLUMB_RETURN_IF_ERROR(GaussianProcessWithDerivatives(options.kernel(), any, x, y, dy,
                                                       std::vector<double>(any.lengthscales.size(), 1))
                            .status());
  const double mean = y.mean().item<double>();
  double deviation = y.size(0) > 1 ? y.std(/*unbiased=*/true).item<double>() : 1;
  if (deviation <= 1e-14 * std::abs(mean) || deviation == 0) deviation = 1;
  const DerivativeLogPosterior posterior(x, (y - mean) / deviation, dy / deviation, options, noise_ratio);
  PLUMB_ASSIGN_OR_RETURN(
      const HyperParameterFit found,
      FitHyperParameters(
          [&](const double* theta, double* gradient) { return posterior.Evaluate(theta, gradient, nullptr); },
          posterior.hyper_parameters(), options, y.size(0)));
  const double* theta = found.theta.data();
  GaussianProcessParameters parameters = posterior.Parameters(theta);
  posterior.Evaluate(theta, nullptr, &parameters.mean);
  std::vector<double> noise = posterior.GradientNoise(parameters);
  for (double& variance : noise) variance *= deviation * deviation;
  parameters.outputscale *= deviation * deviation;
  parameters.noise *= deviation * deviation;
  parameters.mean = mean + deviation * parameters.mean;
  return GaussianProcessWithDerivatives(options.kernel(), std::move(parameters), x, y, dy, noise);
}

}  // namespace plumb
