#include "optim/bayesian/fit_co_kriging.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
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

// Of the priors, which are normal.
constexpr double kRatioLocation = 1, kRatioScale = 1, kLogVarianceLocation = 0, kLogVarianceScale = 3;

}  // namespace

CoKrigingLogPosterior::CoKrigingLogPosterior(const at::Tensor& points, int64_t coordinate,
                                             int64_t level_count, const at::Tensor& values,
                                             const GaussianProcessOptions& options)
    : size_(points.size(0)),
      coordinate_(coordinate),
      level_count_(level_count),
      dimension_(points.size(1) - 1),
      options_(options),
      fits_noise_(!options.has_noise()),
      values_(values.const_data_ptr<double>(), values.const_data_ptr<double>() + size_) {
  const double* from = points.const_data_ptr<double>();
  for (int64_t d = 0; d <= dimension_; ++d) {
    for (int64_t i = 0; i < size_ && d != coordinate; ++i) columns_.push_back(from[i * (dimension_ + 1) + d]);
  }
  for (int64_t i = 0; i < size_; ++i) {
    levels_.push_back(LevelOf(from[i * (dimension_ + 1) + coordinate], level_count));
  }
}

std::vector<CoKrigingLevel> CoKrigingLogPosterior::Levels(const double* theta) const {
  std::vector<CoKrigingLevel> levels(level_count_);
  for (int64_t l = 0; l < level_count_; ++l) {
    const double* of_level = theta + l * (dimension_ + 1);
    for (int64_t d = 0; d < dimension_; ++d) levels[l].lengthscales.push_back(std::exp(of_level[d]));
    levels[l].lengthscales.insert(levels[l].lengthscales.begin() + coordinate_, 1);
    levels[l].variance = std::exp(of_level[dimension_]);
    if (l > 0) levels[l].ratio = theta[IndexOfRatio(l)];
  }
  return levels;
}

double CoKrigingLogPosterior::Noise(const double* theta) const {
  return fits_noise_ ? std::exp(theta[IndexOfNoise()]) : options_.noise();
}

double CoKrigingLogPosterior::Evaluate(const double* theta, double* gradient,
                                       std::vector<double>* means) const {
  const at::NoGradGuard no_grad;
  const int64_t n = size_, count = level_count_;
  const std::vector<CoKrigingLevel> levels = Levels(theta);
  const std::vector<double> c = CoKrigingCoefficients(levels);
  const double noise = Noise(theta);
  std::vector<double> scaled(dimension_ * n), point(dimension_), squared(n);
  const auto scale = [&](int64_t level) {
    for (int64_t d = 0; d < dimension_; ++d) {
      const double lengthscale = std::exp(theta[level * (dimension_ + 1) + d]);
      for (int64_t i = 0; i < n; ++i) scaled[d * n + i] = columns_[d * n + i] / lengthscale;
    }
  };
  const auto load = [&](int64_t i) {
    for (int64_t d = 0; d < dimension_; ++d) point[d] = scaled[d * n + i];
  };
  // The lower triangles of v_l k_l and of its slopes.
  std::vector<double> k(count * n * n), slopes(count * n * n);
  at::Tensor covariance = at::zeros({n, n}, at::kDouble);
  double* full = covariance.mutable_data_ptr<double>();
  for (int64_t l = 0; l < count; ++l) {
    scale(l);
    for (int64_t i = 0; i < n; ++i) {
      load(i);
      double *row = &k[(l * n + i) * n], *slope = &slopes[(l * n + i) * n];
      SquaredDistances(point.data(), scaled.data(), n, dimension_, i + 1, squared.data());
      KernelValues(options_.kernel(), i + 1, squared.data(), row, slope);
      for (int64_t j = 0; j <= i; ++j) {
        row[j] *= levels[l].variance;
        slope[j] *= levels[l].variance;
        full[i * n + j] += c[levels_[i] * count + l] * c[levels_[j] * count + l] * row[j];
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) full[i * n + i] += noise;
  const absl::StatusOr<Cholesky> factor = Cholesky::Factor(covariance, {1e-8, 1e-4});
  if (!factor.ok()) return kNan;
  const at::Tensor inverse = factor->Inverse();
  const double* a = inverse.const_data_ptr<double>();

  // The means, of levels that have values: the unit vectors of others keep the system regular.
  std::vector<double> by_level(n * count), mean(count);
  at::Tensor gram = at::zeros({count, count}, at::kDouble), right = at::zeros({count}, at::kDouble);
  double *g = gram.mutable_data_ptr<double>(), *r = right.mutable_data_ptr<double>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) by_level[i * count + levels_[j]] += a[i * n + j];
    for (int64_t l = 0; l < count; ++l) {
      g[levels_[i] * count + l] += by_level[i * count + l];
      r[l] += by_level[i * count + l] * values_[i];
    }
  }
  std::vector<bool> has_values(count);
  for (const int64_t level : levels_) has_values[level] = true;
  for (int64_t l = 0; l < count; ++l) {
    if (!has_values[l]) g[l * count + l] = 1;
  }
  const absl::StatusOr<Cholesky> gram_factor = Cholesky::Factor(gram, {1e-12, 1e-4});
  if (!gram_factor.ok()) return kNan;
  const at::Tensor solution = gram_factor->Solve(right);
  for (int64_t l = 0; l < count; ++l) {
    mean[l] = has_values[l] || l == 0 ? solution.const_data_ptr<double>()[l] : levels[l].ratio * mean[l - 1];
  }
  if (means != nullptr) *means = mean;

  std::vector<double> residual(n), alpha(n);
  for (int64_t i = 0; i < n; ++i) residual[i] = values_[i] - mean[levels_[i]];
  for (int64_t i = 0; i < n; ++i) alpha[i] = Dot(a + i * n, residual.data(), n);
  double value =
      -0.5 * (Dot(residual.data(), alpha.data(), n) + factor->LogDeterminant() + n * std::log(2 * M_PI));
  std::vector<double> slope(parameter_count());
  for (int64_t l = 0; l < count; ++l) {
    const int64_t first = l * (dimension_ + 1), variance = first + dimension_;
    for (int64_t p = first; p < variance; ++p) {
      value += LogNormalPrior(theta[p], LengthscaleLocation(dimension_), LengthscaleScale(), &slope[p]);
    }
    value += NormalPrior(theta[variance], kLogVarianceLocation, kLogVarianceScale, &slope[variance]);
    if (l > 0)
      value += NormalPrior(theta[IndexOfRatio(l)], kRatioLocation, kRatioScale, &slope[IndexOfRatio(l)]);
  }
  if (fits_noise_) {
    value += LogNormalPrior(theta[IndexOfNoise()], kNoiseLocation, kNoiseScale, &slope[IndexOfNoise()]);
  }
  if (gradient == nullptr) return value / n;

  // d log N = tr((alpha alpha' - K^-1) dK) / 2; pairs below the diagonal stand for both.
  std::vector<double> weights(n), sums(dimension_), pairs(count * count);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += alpha[i] * alpha[i] - a[i * n + i];
  for (int64_t l = 0; l < count; ++l) {
    // Of delta_l: sums over pairs of points, for each pair of their levels.
    std::fill(sums.begin(), sums.end(), 0);
    std::fill(pairs.begin(), pairs.end(), 0);
    scale(l);
    for (int64_t i = 0; i < n; ++i) {
      load(i);
      const double* row = &k[(l * n + i) * n];
      for (int64_t j = 0; j <= i; ++j) {
        const double weight = alpha[i] * alpha[j] - a[i * n + j];
        pairs[levels_[i] * count + levels_[j]] += weight * row[j];
        if (j < i) pairs[levels_[j] * count + levels_[i]] += weight * row[j];
        weights[j] =
            weight * c[levels_[i] * count + l] * c[levels_[j] * count + l] * slopes[(l * n + i) * n + j];
      }
      AddWeightedSquares(point.data(), scaled.data(), n, dimension_, i, weights.data(), sums.data());
    }
    for (int64_t d = 0; d < dimension_; ++d) slope[l * (dimension_ + 1) + d] += sums[d];
    for (int64_t high = l; high < count; ++high) {
      for (int64_t other = l; other < count; ++other) {
        const double sum = pairs[high * count + other] * c[other * count + l];
        slope[l * (dimension_ + 1) + dimension_] += 0.5 * sum * c[high * count + l];
        // c_{high,l} is the product of rho_{l+1} .. rho_high, each of which may be 0.
        for (int64_t m = l + 1; m <= high; ++m) {
          slope[IndexOfRatio(m)] += sum * c[high * count + m] * c[(m - 1) * count + l];
        }
      }
    }
  }
  if (fits_noise_) slope[IndexOfNoise()] += 0.5 * noise * trace;
  for (size_t p = 0; p < slope.size(); ++p) gradient[p] = slope[p] / n;
  return value / n;
}

std::vector<double> CoKrigingLogPosterior::LowerBounds() const {
  std::vector<double> lower(parameter_count(), -std::numeric_limits<double>::infinity());
  for (int64_t l = 0; l < level_count_; ++l) {
    const auto of_level = lower.begin() + l * (dimension_ + 1);
    std::fill(of_level, of_level + dimension_, std::log(options_.min_lengthscale()));
    of_level[dimension_] = -12;
  }
  if (fits_noise_) lower.back() = std::log(options_.min_noise());
  return lower;
}

std::vector<double> CoKrigingLogPosterior::Start(bool smooth_deltas) const {
  std::vector<double> theta(parameter_count(), kRatioLocation);
  const double median = LengthscaleLocation(dimension_), scale = LengthscaleScale();
  for (int64_t l = 0; l < level_count_; ++l) {
    const auto of_level = theta.begin() + l * (dimension_ + 1);
    std::fill(of_level, of_level + dimension_, l > 0 && smooth_deltas ? median : median - scale * scale);
    of_level[dimension_] = kLogVarianceLocation;
  }
  if (fits_noise_) theta.back() = kNoiseLocation - kNoiseScale * kNoiseScale;
  return theta;
}

absl::StatusOr<CoKrigingFit> FitCoKriging(const at::Tensor& points, const at::Tensor& values,
                                          int64_t coordinate, int64_t level_count,
                                          const GaussianProcessOptions& options) {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, kAny}));
  const int64_t size = points.size(0), dimension = points.size(1);
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {size}));
  if (size == 0 || dimension < 2 || coordinate < 0 || coordinate >= dimension || level_count < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("observed points: shape [", size, ", ", dimension, "], fidelity coordinate ", coordinate,
                     " of ", level_count, " levels: expected a point, another coordinate and two levels"));
  }
  const at::NoGradGuard no_grad;
  const at::Tensor x = points.detach().to(at::kDouble).contiguous();
  at::Tensor y = values.detach().to(at::kDouble).contiguous().clone();
  for (int64_t i = 0; i < size; ++i) {
    const double value = y.const_data_ptr<double>()[i], coordinates = x[i].sum().item<double>();
    if (std::isfinite(value) && std::isfinite(coordinates)) continue;
    return absl::InvalidArgumentError(absl::StrCat(std::isfinite(value) ? "coordinates" : "value",
                                                   " of observation ", i, ": expected finite numbers"));
  }
  // The deviation of values from their levels' means.
  const double center = y.mean().item<double>();
  std::vector<double> sums(level_count), counts(level_count);
  const auto level_of = [&](int64_t i) {
    return LevelOf(x.const_data_ptr<double>()[i * dimension + coordinate], level_count);
  };
  double* number = y.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size; ++i) {
    number[i] -= center;
    sums[level_of(i)] += number[i];
    ++counts[level_of(i)];
  }
  double squares = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double distance = number[i] - sums[level_of(i)] / counts[level_of(i)];
    squares += distance * distance;
  }
  const auto seen = std::count_if(counts.begin(), counts.end(), [](double count) { return count > 0; });
  double deviation = size > seen ? std::sqrt(squares / static_cast<double>(size - seen)) : 1;
  // A spread that rounding made is none.
  if (deviation <= 1e-14 * std::abs(center) || deviation == 0) deviation = 1;
  y.div_(deviation);

  const CoKrigingLogPosterior posterior(x, coordinate, level_count, y, options);
  PLUMB_ASSIGN_OR_RETURN(
      LbfgsbResult found,
      MaximizeLogPosterior(
          [&](const double* theta, double* gradient) { return posterior.Evaluate(theta, gradient, nullptr); },
          {posterior.Start(/*smooth_deltas=*/true), posterior.Start(/*smooth_deltas=*/false)},
          posterior.LowerBounds(), options.lbfgsb()));
  if (found.best < 0) {
    return absl::FailedPreconditionError(absl::StrCat("fit of ", size, " observations of ", level_count,
                                                      " levels: ", found.summary.BriefReport()));
  }
  const double* theta = found.points.const_data_ptr<double>() + found.best * posterior.parameter_count();
  std::vector<double> means;
  const double log_posterior = posterior.Evaluate(theta, nullptr, &means);
  std::vector<CoKrigingLevel> levels = posterior.Levels(theta);
  for (int64_t l = 0; l < level_count; ++l) {
    levels[l].variance *= deviation * deviation;
    levels[l].mean = center + deviation * means[l];
  }
  const auto prior = std::make_shared<CoKrigingPrior>(options.kernel(), levels, coordinate);
  at::Tensor highest = at::zeros({1, dimension}, at::kDouble);
  highest.select(1, coordinate).fill_(1);
  GaussianProcessParameters parameters;
  parameters.outputscale = prior->Variances(highest).item<double>();
  parameters.noise = posterior.Noise(theta) * deviation * deviation;
  parameters.mean = levels.back().mean;
  PLUMB_ASSIGN_OR_RETURN(
      GaussianProcess model,
      GaussianProcess::CreateOfPrior(options.kernel(), prior, std::move(parameters), x, values));
  return CoKrigingFit{std::move(model), std::move(levels), log_posterior, std::move(found.summary)};
}

}  // namespace plumb
