#include "optim/bayesian/deup.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/status/status_macros.h"
#include "optim/bayesian/fit_gaussian_process.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

// -E[log Z^2] for a standard normal Z.
constexpr double kLogSquareBias = 1.2703628454614782;
// Of the process's variance: errors, and variances, below it are all the same.
constexpr double kFloor = 1e-8;

}  // namespace

LeaveOneOut LeaveOneOutErrors(const GaussianProcess& model) {
  const int64_t size = model.size();
  LeaveOneOut result{at::empty({size}, at::kDouble), at::empty({size}, at::kDouble)};
  const at::Tensor columns = model.inverse_factor().t().contiguous();
  for (int64_t i = 0; i < size; ++i) {
    const double* column = columns.const_data_ptr<double>() + i * size;
    const double precision = Dot(column, column, size);  // of K^-1
    result.errors.mutable_data_ptr<double>()[i] = model.weights().const_data_ptr<double>()[i] / precision;
    result.variances.mutable_data_ptr<double>()[i] =
        1 / precision - model.parameters().noise - model.jitter();
  }
  return result;
}

absl::StatusOr<Deup> Deup::Fit(std::shared_ptr<const GaussianProcess> model,
                               const GaussianProcessOptions& error_model) {
  if (model->points().size(1) != model->dimension()) {
    return absl::InvalidArgumentError("deup: expected a model that has observed values alone");
  }
  const LeaveOneOut left_out = LeaveOneOutErrors(*model);
  const double floor = kFloor * model->parameters().outputscale,
               noise = model->parameters().noise + model->jitter();
  // With the point known too, its error and variance are this share of what they are without it.
  const at::Tensor share = noise / (left_out.variances + noise);
  const at::Tensor errors = at::cat({left_out.errors, left_out.errors * share});
  const at::Tensor variances = at::cat({left_out.variances, left_out.variances * share});
  const at::Tensor logs = at::log(variances.clamp_min(floor));
  const double lowest = logs.min().item<double>(), width = std::max(logs.max().item<double>() - lowest, 1e-3);
  const at::Tensor features =
      at::cat({at::cat({model->points(), model->points()}), ((logs - lowest) / width).unsqueeze(1)}, 1);
  const at::Tensor targets = at::log(errors.square().clamp_min(floor)) + kLogSquareBias;
  PLUMB_ASSIGN_OR_RETURN(GaussianProcessFit fit, FitGaussianProcess(features, targets, error_model));
  return Deup(std::move(model), std::move(fit.model), lowest, width);
}

PointMoments Deup::At(const at::Tensor& points, bool with_gradients) const {
  const int64_t count = points.size(0), dimension = points.size(1);
  const double floor = kFloor * model_->parameters().outputscale, noise = model_->parameters().noise;
  const GroupPosterior posterior = model_->Posterior(points.view({count, 1, dimension}), with_gradients);
  const at::Tensor variances = posterior.covariances.view({count});
  // log v, and its slope; v of points that are known is the floor.
  const at::Tensor bounded = variances.clamp_min(floor);
  const at::Tensor features = at::cat({points, ((at::log(bounded) - lowest_) / width_).unsqueeze(1)}, 1);
  const GroupPosterior predicted =
      errors_.Posterior(features.view({count, 1, dimension + 1}), with_gradients);
  const at::Tensor total = predicted.means.view({count}).exp();
  PointMoments moments{posterior.means.view({count}), (total - noise).clamp_min(floor), {}, {}};
  if (!with_gradients) return moments;
  const at::Tensor none = at::zeros({count, 1, 1}, at::kDouble), one = at::ones({count, 1}, at::kDouble),
                   all = at::ones({count, 1, 1}, at::kDouble);
  moments.mean_gradients = model_->Gradient(posterior, one, none).view({count, dimension});
  const at::Tensor of_variance =
      model_->Gradient(posterior, at::zeros({count, 1}, at::kDouble), all).view({count, dimension});
  const at::Tensor of_features = errors_.Gradient(predicted, one, none).view({count, dimension + 1});
  const at::Tensor log_slope = (variances > floor).to(at::kDouble) / (bounded * width_);
  const at::Tensor of_log_error = of_features.narrow(1, 0, dimension) +
                                  (of_features.select(1, dimension) * log_slope).unsqueeze(1) * of_variance;
  moments.variance_gradients = (total * (total - noise > floor).to(at::kDouble)).unsqueeze(1) * of_log_error;
  return moments;
}

Evaluation DeupAcquisition::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0);
  const PointMoments moments = deup_.At(groups, with_gradients);
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::empty({count, 1}, at::kDouble), d_variances = at::empty({count, 1}, at::kDouble);
  for (int64_t b = 0; b < count; ++b) {
    const double sigma = std::sqrt(moments.variances.const_data_ptr<double>()[b]);
    const MomentValue at_point = function_(moments.means.const_data_ptr<double>()[b], sigma);
    result.values.mutable_data_ptr<double>()[b] = at_point.value;
    d_means.mutable_data_ptr<double>()[b] = at_point.d_mean;
    d_variances.mutable_data_ptr<double>()[b] = at_point.d_sigma / (2 * sigma);
  }
  if (with_gradients) {
    result.gradients = d_means * moments.mean_gradients + d_variances * moments.variance_gradients;
  }
  return result;
}

}  // namespace plumb
