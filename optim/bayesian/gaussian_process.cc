#include "optim/bayesian/gaussian_process.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/bayesian/row_product.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

constexpr JitterOptions kJitter = {1e-8, 1e-4};

at::Tensor F64(const at::Tensor& tensor) { return tensor.detach().to(at::kDouble).contiguous(); }

absl::Status CheckFinite(const char* what, const at::Tensor& tensor) {
  const double* numbers = tensor.const_data_ptr<double>();
  const int64_t rows = tensor.size(0), columns = rows == 0 ? 0 : tensor.numel() / rows;
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    if (std::isfinite(numbers[i])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(what, " of observation ", i / columns, ": ", numbers[i], ", expected a finite number"));
  }
  return absl::OkStatus();
}

absl::Status CheckStationary(const GaussianProcessParameters& parameters, const at::Tensor& points) {
  PLUMB_RETURN_IF_ERROR(
      CheckShape("observed points", points, {kAny, static_cast<int64_t>(parameters.lengthscales.size())}));
  for (size_t d = 0; d < parameters.lengthscales.size(); ++d) {
    if (parameters.lengthscales[d] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("lengthscale ", d, ": ", parameters.lengthscales[d], ", expected above 0"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GaussianProcess> GaussianProcess::Create(Kernel kernel, GaussianProcessParameters parameters,
                                                        const at::Tensor& points, const at::Tensor& values) {
  PLUMB_RETURN_IF_ERROR(CheckStationary(parameters, points));
  auto prior = std::make_shared<StationaryPrior>(kernel, parameters);
  return Make(kernel, std::move(prior), std::move(parameters), points, values, {}, {}, {});
}

absl::StatusOr<GaussianProcess> GaussianProcess::CreateOfPrior(
    Kernel kernel, std::shared_ptr<const GaussianProcessPrior> prior, GaussianProcessParameters parameters,
    const at::Tensor& points, const at::Tensor& values, const at::Tensor& noises) {
  return Make(kernel, std::move(prior), std::move(parameters), points, values, noises, {}, {});
}

absl::StatusOr<GaussianProcess> GaussianProcess::WithValues(const at::Tensor& points,
                                                            const at::Tensor& values, double noise) const {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, dimension()}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {points.size(0)}));
  GaussianProcessParameters parameters = parameters_;
  parameters.noise = noise;
  const at::Tensor rest = at::nonzero(~OfValues()).select(1, 0);
  const at::Tensor noises = at::full({points.size(0)}, noise, at::kDouble);
  return CreateOfPrior(kernel_, prior_, std::move(parameters),
                       at::cat({ObservedAt(F64(points)), points_.index_select(0, rest)}),
                       at::cat({F64(values), values_.index_select(0, rest)}),
                       at::cat({noises, noises_.index_select(0, rest)}));
}

absl::StatusOr<GaussianProcess> GaussianProcess::CreateOfTasks(
    Kernel kernel, GaussianProcessParameters parameters, const at::Tensor& points, const at::Tensor& values,
    const std::vector<int64_t>& tasks, const at::Tensor& task_covariance, int64_t target) {
  const int64_t size = tasks.size(), count = task_covariance.size(0);
  PLUMB_RETURN_IF_ERROR(CheckShape("task covariance", task_covariance, {count, count}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {size, kAny}));
  for (const int64_t task : tasks) {
    if (task >= 0 && task < count) continue;
    return absl::InvalidArgumentError(absl::StrCat("task ", task, ", expected 0 to ", count - 1));
  }
  if (target < 0 || target >= count) {
    return absl::InvalidArgumentError(absl::StrCat("target task ", target, ", expected 0 to ", count - 1));
  }
  const at::Tensor covariance = F64(task_covariance);
  const double* b = covariance.const_data_ptr<double>();
  at::Tensor pair_ratios = at::empty({size, size}, at::kDouble), ratios = at::empty({size}, at::kDouble);
  for (int64_t i = 0; i < size; ++i) {
    const double own = b[target * count + target];
    ratios.mutable_data_ptr<double>()[i] = b[target * count + tasks[i]] / own;
    for (int64_t j = 0; j < size; ++j) {
      pair_ratios.mutable_data_ptr<double>()[i * size + j] = b[tasks[i] * count + tasks[j]] / own;
    }
  }
  PLUMB_RETURN_IF_ERROR(CheckStationary(parameters, points));
  auto prior = std::make_shared<StationaryPrior>(kernel, parameters);
  return Make(kernel, std::move(prior), std::move(parameters), points, values, {}, pair_ratios, ratios);
}

absl::StatusOr<GaussianProcess> GaussianProcess::Make(Kernel kernel,
                                                      std::shared_ptr<const GaussianProcessPrior> prior,
                                                      GaussianProcessParameters parameters,
                                                      const at::Tensor& points, const at::Tensor& values,
                                                      const at::Tensor& noises, const at::Tensor& pair_ratios,
                                                      const at::Tensor& ratios) {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, prior->observed_width()}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {points.size(0)}));
  if (noises.defined()) PLUMB_RETURN_IF_ERROR(CheckShape("noises", noises, {points.size(0)}));
  if (!(parameters.outputscale > 0) || !(parameters.noise >= 0) || !std::isfinite(parameters.mean)) {
    return absl::InvalidArgumentError(absl::StrCat("outputscale ", parameters.outputscale, ", noise ",
                                                   parameters.noise, ", mean ", parameters.mean,
                                                   ": expected above 0, at least 0 and a finite number"));
  }
  const at::NoGradGuard no_grad;
  GaussianProcess result(kernel, std::move(prior), std::move(parameters));
  result.points_ = F64(points).clone();
  result.values_ = F64(values).clone();
  PLUMB_RETURN_IF_ERROR(CheckFinite("coordinates", result.points_));
  PLUMB_RETURN_IF_ERROR(CheckFinite("value", result.values_));
  const int64_t size = points.size(0);
  at::Tensor covariance = result.Covariances(result.points_, result.points_, nullptr);
  if (pair_ratios.defined()) covariance.mul_(pair_ratios);
  result.ratios_ = ratios;
  result.noises_ =
      noises.defined() ? F64(noises).clone() : at::full({size}, result.parameters_.noise, at::kDouble);
  covariance.diagonal().add_(result.noises_);
  PLUMB_ASSIGN_OR_RETURN(result.factor_, Cholesky::Factor(covariance, kJitter));
  result.inverse_factor_ = result.factor_.SolveLower(at::eye(size, at::kDouble));
  result.weights_ = result.WeightsOf(result.values_.unsqueeze(1)).select(1, 0);
  return result;
}

absl::Status GaussianProcess::Append(const at::Tensor& points, const at::Tensor& values) {
  return Append(points, values, parameters_.noise);
}

absl::Status GaussianProcess::Append(const at::Tensor& points, const at::Tensor& values, double noise) {
  PLUMB_RETURN_IF_ERROR(CheckShape("observed points", points, {kAny, dimension()}));
  PLUMB_RETURN_IF_ERROR(CheckShape("observed values", values, {points.size(0)}));
  const at::NoGradGuard no_grad;
  const at::Tensor more = F64(points), more_values = F64(values);
  PLUMB_RETURN_IF_ERROR(CheckFinite("coordinates", more));
  PLUMB_RETURN_IF_ERROR(CheckFinite("value", more_values));
  const int64_t old_size = size(), count = more.size(0), new_size = old_size + count;
  if (count == 0) return absl::OkStatus();
  at::Tensor cross = Covariances(more, points_, nullptr);
  if (ratios_.defined()) cross = cross * ratios_;
  at::Tensor block = Covariances(more, more, nullptr);
  block.diagonal().add_(noise);
  // A point that is there already, without noise, may need more than the others' jitter.
  absl::Status appended = factor_.Append(cross.t(), block);
  for (double jitter = kJitter.first; !appended.ok() && jitter <= kJitter.most; jitter *= 10) {
    block.diagonal().add_(jitter * parameters_.outputscale);
    appended = factor_.Append(cross.t(), block);
  }
  PLUMB_RETURN_IF_ERROR(appended);
  // The new rows of L^-1 are columns of L'^-1.
  at::Tensor unit = at::zeros({new_size, count}, at::kDouble);
  unit.narrow(0, old_size, count).diagonal().fill_(1);
  at::Tensor inverse = at::zeros({new_size, new_size}, at::kDouble);
  inverse.narrow(0, 0, old_size).narrow(1, 0, old_size).copy_(inverse_factor_);
  inverse.narrow(0, old_size, count).copy_(factor_.SolveUpper(unit).t());
  inverse_factor_ = inverse;
  points_ = at::cat({points_, ObservedAt(more)});
  noises_ = at::cat({noises_, at::full({count}, noise, at::kDouble)});
  if (ratios_.defined()) ratios_ = at::cat({ratios_, at::ones({count}, at::kDouble)});
  values_ = at::cat({values_, more_values});
  weights_ = WeightsOf(values_.unsqueeze(1)).select(1, 0);
  return absl::OkStatus();
}

at::Tensor GaussianProcess::OfValues() const {
  if (prior_->observed_width() == dimension()) return at::ones({size()}, at::kBool);
  return points_.select(1, dimension()) == 0;
}

at::Tensor GaussianProcess::ValuePoints() const {
  const at::Tensor rows = at::nonzero(OfValues()).select(1, 0);
  return points_.index_select(0, rows).narrow(1, 0, dimension()).contiguous();
}

at::Tensor GaussianProcess::ObservedAt(const at::Tensor& points) const {
  return at::constant_pad_nd(points, {0, prior_->observed_width() - dimension()});
}

at::Tensor GaussianProcess::WeightsOf(const at::Tensor& values) const {
  return RowProduct(inverse_factor_.t(),
                    RowProduct(inverse_factor_, values - prior_->Means(points_).unsqueeze(1)));
}

double GaussianProcess::LogMarginalLikelihood() const {
  const double fit = (weights_ * (values_ - prior_->Means(points_))).sum().item<double>();
  return -0.5 * (fit + factor_.LogDeterminant() + size() * std::log(2 * M_PI));
}

GroupPosterior GaussianProcess::Posterior(const at::Tensor& points, bool with_gradients) const {
  TORCH_CHECK(points.dim() == 3 && points.size(2) == dimension(), "points: shape ", points.sizes(),
              ", expected [B, Q, ", dimension(), "]");
  const at::NoGradGuard no_grad;
  GroupPosterior posterior;
  posterior.points = F64(points);
  const int64_t groups = points.size(0), q = points.size(1), rows = groups * q;
  const at::Tensor flat = posterior.points.view({rows, dimension()});
  posterior.covariance = Covariances(flat, points_, with_gradients ? &posterior.slopes : nullptr);
  if (ratios_.defined()) {
    posterior.covariance.mul_(ratios_);
    if (with_gradients) posterior.slopes.mul_(ratios_);
  }
  posterior.means =
      (RowProduct(posterior.covariance, weights_.unsqueeze(1)).select(1, 0) + prior_->Means(flat))
          .view({groups, q});
  const at::Tensor half = RowProduct(posterior.covariance, inverse_factor_.t());
  if (with_gradients) posterior.projections = RowProduct(half, inverse_factor_);
  if (q == 1) {
    posterior.covariances = prior_->Variances(flat).view({groups, 1, 1});
    double* variances = posterior.covariances.mutable_data_ptr<double>();
    for (int64_t b = 0; b < groups; ++b) {
      const double* row = half.const_data_ptr<double>() + b * size();
      variances[b] -= Dot(row, row, size());
    }
    return posterior;
  }
  posterior.covariances = prior_->GroupCovariances(posterior.points);
  double* covariances = posterior.covariances.mutable_data_ptr<double>();
  at::parallel_for(0, groups, GrainOfRows(q * q, size()), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const double* rows_of_group = half.const_data_ptr<double>() + b * q * size();
      for (int64_t i = 0; i < q; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
          const double known = Dot(rows_of_group + i * size(), rows_of_group + j * size(), size());
          covariances[(b * q + i) * q + j] -= known;
          if (j < i) covariances[(b * q + j) * q + i] -= known;
        }
      }
    }
  });
  return posterior;
}

at::Tensor GaussianProcess::Gradient(const GroupPosterior& posterior, const at::Tensor& d_means,
                                     const at::Tensor& d_covariances) const {
  const at::NoGradGuard no_grad;
  const int64_t groups = posterior.points.size(0), q = posterior.points.size(1), rows = groups * q;
  // cov(x_a, x_b) = k(x_a, x_b) - k(x_a)' K^-1 k(x_b), and either of the two may move.
  const at::Tensor both = d_covariances + d_covariances.transpose(1, 2);
  at::Tensor weights = d_means.reshape({rows, 1}) * weights_;
  if (q == 1) {
    weights.sub_(both.view({rows, 1}) * posterior.projections);
  } else {
    const at::Tensor projections = posterior.projections.view({groups, q, size()});
    for (int64_t j = 0; j < q; ++j) {
      weights.view({groups, q, size()}).sub_(both.select(2, j).unsqueeze(2) * projections.narrow(1, j, 1));
    }
  }
  at::Tensor gradient =
      CovarianceGradient(posterior.points.view({rows, dimension()}), points_, posterior.slopes, weights)
          .view({groups, q, dimension()});
  if (q > 1) prior_->AddGroupGradient(posterior.points, both.contiguous(), gradient);
  return gradient;
}

}  // namespace plumb
