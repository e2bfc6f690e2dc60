#include "optim/bayesian/fit_multi_task.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
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

constexpr double kLogVLocation = -2;

}  // namespace

MultiTaskLogPosterior::MultiTaskLogPosterior(const at::Tensor& points, std::vector<int64_t> tasks,
                                             const at::Tensor& values, int64_t task_count, int64_t rank,
                                             const GaussianProcessOptions& options)
    : size_(points.size(0)),
      dimension_(points.size(1)),
      task_count_(task_count),
      rank_(rank),
      options_(options),
      fits_noise_(!options.has_noise()),
      columns_(points.t().contiguous()),
      tasks_(std::move(tasks)),
      values_(values.const_data_ptr<double>(), values.const_data_ptr<double>() + size_) {}

GaussianProcessParameters MultiTaskLogPosterior::Parameters(const double* theta) const {
  GaussianProcessParameters parameters;
  for (int64_t d = 0; d < dimension_; ++d) parameters.lengthscales.push_back(std::exp(theta[d]));
  parameters.noise = fits_noise_ ? std::exp(theta[dimension_]) : options_.noise();
  return parameters;
}

at::Tensor MultiTaskLogPosterior::TaskCovariance(const double* theta) const {
  at::Tensor covariance = at::zeros({task_count_, task_count_}, at::kDouble);
  double* b = covariance.mutable_data_ptr<double>();
  const double *w = theta + FirstOfTasks(), *log_v = w + task_count_ * rank_;
  for (int64_t t = 0; t < task_count_; ++t) {
    for (int64_t u = 0; u < task_count_; ++u)
      b[t * task_count_ + u] = Dot(w + t * rank_, w + u * rank_, rank_);
    b[t * task_count_ + t] += std::exp(log_v[t]);
  }
  return covariance;
}

double MultiTaskLogPosterior::Evaluate(const double* theta, double* gradient) const {
  const at::NoGradGuard no_grad;
  const int64_t n = size_, t = task_count_;
  const GaussianProcessParameters parameters = Parameters(theta);
  const at::Tensor task_covariance = TaskCovariance(theta);
  const double* b = task_covariance.const_data_ptr<double>();
  std::vector<double> scaled(dimension_ * n), point(dimension_), squared(n), k(n * n), slopes(n * n);
  for (int64_t d = 0; d < dimension_; ++d) {
    const double* column = columns_.const_data_ptr<double>() + d * n;
    for (int64_t i = 0; i < n; ++i) scaled[d * n + i] = column[i] / parameters.lengthscales[d];
  }
  const auto load = [&](int64_t i) {
    for (int64_t d = 0; d < dimension_; ++d) point[d] = scaled[d * n + i];
  };
  at::Tensor covariance = at::zeros({n, n}, at::kDouble);
  double* full = covariance.mutable_data_ptr<double>();
  for (int64_t i = 0; i < n; ++i) {
    load(i);
    SquaredDistances(point.data(), scaled.data(), n, dimension_, i + 1, squared.data());
    KernelValues(options_.kernel(), i + 1, squared.data(), &k[i * n], &slopes[i * n]);
    for (int64_t j = 0; j <= i; ++j) full[i * n + j] = b[tasks_[i] * t + tasks_[j]] * k[i * n + j];
    full[i * n + i] += parameters.noise;
  }
  const absl::StatusOr<Cholesky> factor = Cholesky::Factor(covariance, {1e-8, 1e-4});
  if (!factor.ok()) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor inverse = factor->Inverse();
  const double* a = inverse.const_data_ptr<double>();
  std::vector<double> alpha(n);
  for (int64_t i = 0; i < n; ++i) alpha[i] = Dot(a + i * n, values_.data(), n);
  double value =
      -0.5 * (Dot(values_.data(), alpha.data(), n) + factor->LogDeterminant() + n * std::log(2 * M_PI));

  std::vector<double> slope(parameter_count());
  for (int64_t d = 0; d < dimension_; ++d) {
    value += LogNormalPrior(theta[d], LengthscaleLocation(dimension_), LengthscaleScale(), &slope[d]);
  }
  if (fits_noise_)
    value += LogNormalPrior(theta[dimension_], kNoiseLocation, kNoiseScale, &slope[dimension_]);
  const int64_t first = FirstOfTasks(), last = first + t * rank_;
  for (int64_t p = first; p < parameter_count(); ++p) {
    value += NormalPrior(theta[p], p < last ? 0 : kLogVLocation, /*scale=*/1, &slope[p]);
  }
  if (gradient == nullptr) return value / n;

  // d log N = tr((alpha alpha' - K^-1) dK) / 2; pairs below the diagonal stand for both.
  std::vector<double> weights(n), sums(dimension_), of_tasks(t * t);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) {
    load(i);
    for (int64_t j = 0; j <= i; ++j) {
      const double weight = alpha[i] * alpha[j] - a[i * n + j];
      of_tasks[tasks_[i] * t + tasks_[j]] += weight * k[i * n + j];
      if (j < i) of_tasks[tasks_[j] * t + tasks_[i]] += weight * k[i * n + j];
      if (j == i) trace += weight;
      weights[j] = weight * b[tasks_[i] * t + tasks_[j]] * slopes[i * n + j];
    }
    AddWeightedSquares(point.data(), scaled.data(), n, dimension_, i, weights.data(), sums.data());
  }
  for (int64_t d = 0; d < dimension_; ++d) slope[d] += sums[d];
  if (fits_noise_) slope[dimension_] += 0.5 * parameters.noise * trace;
  const double* w = theta + first;
  for (int64_t i = 0; i < t; ++i) {
    for (int64_t u = 0; u < t; ++u) {
      for (int64_t r = 0; r < rank_; ++r)
        slope[first + i * rank_ + r] += of_tasks[i * t + u] * w[u * rank_ + r];
    }
    slope[last + i] += 0.5 * of_tasks[i * t + i] * std::exp(theta[last + i]);
  }
  for (size_t p = 0; p < slope.size(); ++p) gradient[p] = slope[p] / n;
  return value / n;
}

std::vector<double> MultiTaskLogPosterior::LowerBounds() const {
  std::vector<double> lower(dimension_, std::log(options_.min_lengthscale()));
  if (fits_noise_) lower.push_back(std::log(options_.min_noise()));
  lower.resize(lower.size() + task_count_ * rank_, -std::numeric_limits<double>::infinity());
  lower.resize(lower.size() + task_count_, -12);
  return lower;
}

std::vector<double> MultiTaskLogPosterior::Start() const {
  std::vector<double> theta(dimension_, LengthscaleLocation(dimension_) - 3);
  if (fits_noise_) theta.push_back(kNoiseLocation - kNoiseScale * kNoiseScale);
  // Tasks that are alike, but not so much that columns of W could never part.
  for (int64_t t = 0; t < task_count_; ++t) {
    for (int64_t r = 0; r < rank_; ++r) theta.push_back(r == 0 ? 0.8 : r == t ? 0.3 : 0.05);
  }
  theta.resize(theta.size() + task_count_, kLogVLocation);
  return theta;
}

absl::StatusOr<MultiTaskFit> FitMultiTask(const at::Tensor& points, const std::vector<int64_t>& tasks,
                                          const at::Tensor& values, int64_t target, int64_t rank,
                                          const GaussianProcessOptions& options) {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {static_cast<int64_t>(tasks.size()), kAny}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {points.size(0)}));
  const at::NoGradGuard no_grad;
  const int64_t size = points.size(0);
  const at::Tensor x = points.detach().to(at::kDouble).contiguous();
  at::Tensor y = values.detach().to(at::kDouble).contiguous().clone();
  double* number = y.mutable_data_ptr<double>();
  int64_t count = target + 1;
  for (int64_t i = 0; i < size; ++i) {
    if (tasks[i] < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("task of observation ", i, ": ", tasks[i], ", expected at least 0"));
    }
    count = std::max(count, tasks[i] + 1);
    if (std::isfinite(number[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("value of observation ", i, ": ", number[i], ", expected a finite number"));
  }
  if (target < 0 || std::count(tasks.begin(), tasks.end(), target) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("target task ", target, ": has no observation, expected one"));
  }
  std::vector<double> means(count), deviations(count, 1);
  for (int64_t t = 0; t < count; ++t) {
    double sum = 0, squares = 0, of_task = 0;
    for (int64_t i = 0; i < size; ++i) {
      if (tasks[i] == t) sum += number[i], ++of_task;
    }
    means[t] = of_task > 0 ? sum / of_task : 0;
    for (int64_t i = 0; i < size; ++i) {
      if (tasks[i] == t) squares += (number[i] - means[t]) * (number[i] - means[t]);
    }
    if (of_task > 1 && squares > 1e-28 * means[t] * means[t])
      deviations[t] = std::sqrt(squares / (of_task - 1));
  }
  for (int64_t i = 0; i < size; ++i) number[i] = (number[i] - means[tasks[i]]) / deviations[tasks[i]];

  const MultiTaskLogPosterior posterior(x, tasks, y, count, rank > 0 ? rank : count, options);
  PLUMB_ASSIGN_OR_RETURN(
      LbfgsbResult found,
      MaximizeLogPosterior(
          [&](const double* theta, double* gradient) { return posterior.Evaluate(theta, gradient); },
          {posterior.Start()}, posterior.LowerBounds(), options.lbfgsb()));
  if (found.best < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("fit of ", size, " observations of ", count, " tasks: ", found.summary.BriefReport()));
  }
  const double* theta = found.points.const_data_ptr<double>();
  const at::Tensor task_covariance = posterior.TaskCovariance(theta);
  GaussianProcessParameters parameters = posterior.Parameters(theta);
  const double deviation = deviations[target];
  parameters.outputscale = deviation * deviation * task_covariance[target][target].item<double>();
  parameters.noise *= deviation * deviation;
  parameters.mean = means[target];
  for (int64_t i = 0; i < size; ++i) number[i] = means[target] + deviation * number[i];
  PLUMB_ASSIGN_OR_RETURN(GaussianProcess model,
                         GaussianProcess::CreateOfTasks(options.kernel(), std::move(parameters), x, y, tasks,
                                                        task_covariance, target));
  return MultiTaskFit{std::move(model), task_covariance, -found.values.const_data_ptr<double>()[0],
                      std::move(found.summary)};
}

}  // namespace plumb
