#include "optim/bayesian/predictive_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/status/status_macros.h"
#include "optim/bayesian/normal_distribution.h"
#include "optim/bayesian/row_product.h"

namespace plumb {
namespace {

// A number with its derivatives in mean, variance and covariance.
struct Dual {
  double value;
  double d[3] = {0, 0, 0};
};
Dual Chain(const Dual& a, double value, double slope) {
  return {value, {slope * a.d[0], slope * a.d[1], slope * a.d[2]}};
}
Dual operator+(const Dual& a, const Dual& b) {
  return {a.value + b.value, {a.d[0] + b.d[0], a.d[1] + b.d[1], a.d[2] + b.d[2]}};
}
Dual operator*(const Dual& a, double b) { return Chain(a, a.value * b, b); }
Dual operator-(const Dual& a, const Dual& b) { return a + b * -1; }
Dual operator*(const Dual& a, const Dual& b) {
  Dual product{a.value * b.value};
  for (int i = 0; i < 3; ++i) product.d[i] = a.d[i] * b.value + a.value * b.d[i];
  return product;
}
Dual operator/(const Dual& a, const Dual& b) { return a * Chain(b, 1 / b.value, -1 / (b.value * b.value)); }

}  // namespace

PredictiveEntropy::PredictiveEntropy(std::shared_ptr<const GaussianProcess> model, double best,
                                     at::Tensor minimisers)
    : model_(std::move(model)), minimisers_(minimisers.contiguous()) {
  const int64_t count = minimisers_.size(0);
  const GroupPosterior posterior =
      model_->Posterior(minimisers_.view({count, 1, minimisers_.size(1)}), /*with_gradients=*/true);
  projections_ = posterior.projections;
  for (int64_t k = 0; k < count; ++k) {
    Minimiser moments{posterior.means.const_data_ptr<double>()[k], 0, 0, 0};
    const double sigma = StandardDeviation(posterior.covariances.const_data_ptr<double>()[k], *model_);
    moments.variance = sigma * sigma;
    if (std::isfinite(best)) {
      // The factor Phi((best - f(x*)) / sqrt(noise)); Rasmussen and Williams 2006, eq. 3.85 to 3.87.
      const double spread = std::sqrt(moments.variance + model_->parameters().noise);
      const double z = (best - moments.mean) / spread;
      double ratio;
      LogNormalCumulative(z, &ratio);
      moments.above = -moments.variance * ratio / spread;
      moments.shrinkage = moments.variance * ratio * (z + ratio) / (spread * spread);
    }
    moments_.push_back(moments);
  }
}

Evaluation PredictiveEntropy::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), dimension = groups.size(1), samples = moments_.size();
  const GroupPosterior posterior = model_->Posterior(groups.view({count, 1, dimension}), with_gradients);
  at::Tensor slopes;
  const at::Tensor covariances =
      model_->Covariances(groups, minimisers_, with_gradients ? &slopes : nullptr) -
      RowProduct(posterior.covariance, projections_.t());
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::zeros({count, 1}, at::kDouble), d_variances = at::zeros({count, 1}, at::kDouble),
             d_covariances = at::zeros({count, samples}, at::kDouble);
  const double floor = 1e-12 * model_->parameters().outputscale, noise = model_->parameters().noise;
  for (int64_t b = 0; b < count; ++b) {
    const Dual mean{posterior.means.const_data_ptr<double>()[b], {1, 0, 0}};
    const double sigma = StandardDeviation(posterior.covariances.const_data_ptr<double>()[b], *model_);
    const Dual variance{sigma * sigma, {0, 1, 0}};
    double value = 0.5 * std::log(variance.value + noise);
    double* d_variance = d_variances.mutable_data_ptr<double>() + b;
    *d_variance = 0.5 / (variance.value + noise);
    for (int64_t k = 0; k < samples; ++k) {
      const Minimiser& star = moments_[k];
      const Dual covariance{covariances.const_data_ptr<double>()[b * samples + k], {0, 0, 1}};
      const double left = star.variance * (1 - star.shrinkage);
      const Dual mean_2 = mean + covariance * (star.above / star.variance);
      const Dual variance_2 = variance - covariance * covariance * (star.shrinkage / star.variance);
      const Dual covariance_2 = covariance * (1 - star.shrinkage);
      // Of f(x) - f(x*), which is positive.
      Dual spread = variance_2 + Dual{left} - covariance_2 * 2.0;
      if (spread.value < floor) spread = {floor};
      const Dual root = Chain(spread, std::sqrt(spread.value), 0.5 / std::sqrt(spread.value));
      const Dual z = (mean_2 - Dual{star.mean + star.above}) / root;
      double ratio;
      LogNormalCumulative(z.value, &ratio);
      const Dual hazard = Chain(z, ratio, -ratio * (z.value + ratio));
      const Dual pulled = variance_2 - covariance_2;
      Dual given = variance_2 - pulled * pulled / spread * hazard * (hazard + z);
      if (given.value < floor) given = {floor};
      value -= 0.5 * std::log(given.value + noise) / samples;
      const double slope = -0.5 / (samples * (given.value + noise));
      d_means.mutable_data_ptr<double>()[b] += slope * given.d[0];
      *d_variance += slope * given.d[1];
      d_covariances.mutable_data_ptr<double>()[b * samples + k] = slope * given.d[2];
    }
    result.values.mutable_data_ptr<double>()[b] = value;
  }
  if (with_gradients) {
    const at::Tensor weights = d_means * model_->weights() - RowProduct(d_covariances, projections_) -
                               2 * d_variances * posterior.projections;
    result.gradients = model_->CovarianceGradient(groups, model_->points(), posterior.slopes, weights) +
                       model_->CovarianceGradient(groups, minimisers_, slopes, d_covariances);
  }
  return result;
}

absl::StatusOr<at::Tensor> SampleMinimisers(const GaussianProcess& model, const at::Tensor& candidates,
                                            int64_t count, const RandomStream& stream) {
  const GroupPosterior posterior = model.Posterior(candidates.unsqueeze(0), /*with_gradients=*/false);
  PLUMB_ASSIGN_OR_RETURN(const Cholesky factor,
                         Cholesky::Factor(posterior.covariances[0], JitterOptions{1e-8, 1e-4}));
  const at::Tensor normals = stream.NormalTensor({count, candidates.size(0)}, at::kDouble);
  const at::Tensor samples = RowProduct(normals, factor.Lower().t()) + posterior.means;
  return candidates.index_select(0, samples.argmin(1)).contiguous();
}

}  // namespace plumb
