#include "optim/bayesian/fantasy_improvement.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/status/status_macros.h"
#include "optim/bayesian/normal_distribution.h"
#include "optim/bayesian/row_product.h"
#include "optim/core/cholesky.h"

namespace plumb {
namespace {

// Of values of f itself, in units of the process's variance: what keeps covariances positive definite.
constexpr double kSampleNoise = 1e-7;

std::vector<double> LeastOfRows(const at::Tensor& samples, double best) {
  std::vector<double> least(samples.size(0), best);
  const at::Tensor rows = samples.contiguous();
  const double* numbers = rows.const_data_ptr<double>();
  for (int64_t i = 0; i < rows.numel(); ++i) {
    double& row = least[i / rows.size(1)];
    row = std::min(row, numbers[i]);
  }
  return least;
}

}  // namespace

absl::StatusOr<at::Tensor> SamplePosterior(const GaussianProcess& model, const at::Tensor& points,
                                           int64_t samples, const RandomStream& stream) {
  const GroupPosterior posterior = model.Posterior(points.unsqueeze(0), /*with_gradients=*/false);
  PLUMB_ASSIGN_OR_RETURN(const Cholesky factor,
                         Cholesky::Factor(posterior.covariances[0], JitterOptions{1e-8, 1e-4}));
  return RowProduct(NormalSamples(samples, points.size(0), stream), factor.Lower().t()) + posterior.means;
}

absl::StatusOr<FantasyImprovement> FantasyImprovement::Pending(const GaussianProcess& model, double best,
                                                               const at::Tensor& pending, int64_t samples,
                                                               const RandomStream& stream) {
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor values, SamplePosterior(model, pending, samples, stream));
  GaussianProcess extended = model;
  PLUMB_RETURN_IF_ERROR(extended.Append(pending, values[0], kSampleNoise * model.parameters().outputscale));
  const at::Tensor told = model.values().unsqueeze(1).expand({model.size(), samples});
  at::Tensor weights = extended.WeightsOf(at::cat({told, values.t()}));
  return FantasyImprovement(std::move(extended), std::move(weights), LeastOfRows(values, best));
}

absl::StatusOr<FantasyImprovement> FantasyImprovement::Noisy(const GaussianProcess& model,
                                                             const at::Tensor& pending, int64_t samples,
                                                             const RandomStream& stream) {
  const at::Tensor baseline = at::cat({model.ValuePoints(), pending});
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor values, SamplePosterior(model, baseline, samples, stream));
  const double noise = kSampleNoise * model.parameters().outputscale;
  PLUMB_ASSIGN_OR_RETURN(GaussianProcess noiseless, model.WithValues(baseline, values[0], noise));
  const int64_t sampled = values.size(1), others = noiseless.size() - sampled;
  const at::Tensor told = noiseless.values().narrow(0, sampled, others).unsqueeze(1);
  at::Tensor weights = noiseless.WeightsOf(at::cat({values.t(), told.expand({others, samples})}));
  return FantasyImprovement(std::move(noiseless), std::move(weights),
                            LeastOfRows(values, std::numeric_limits<double>::infinity()));
}

Evaluation FantasyImprovement::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), dimension = groups.size(1), samples = best_.size();
  const GroupPosterior posterior = model_.Posterior(groups.view({count, 1, dimension}), with_gradients);
  at::Tensor means = RowProduct(posterior.covariance, weights_);
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::empty({count, samples}, at::kDouble),
             d_variances = at::empty({count, 1}, at::kDouble);
  const double *mean = means.const_data_ptr<double>(),
               *variance = posterior.covariances.const_data_ptr<double>();
  double *value = result.values.mutable_data_ptr<double>(), *d_mean = d_means.mutable_data_ptr<double>(),
         *d_variance = d_variances.mutable_data_ptr<double>();
  at::parallel_for(0, count, std::max<int64_t>(1, 512 / samples), [&](int64_t begin, int64_t end) {
    std::vector<double> logs(samples), slopes(samples), us(samples);
    for (int64_t b = begin; b < end; ++b) {
      const double sigma = StandardDeviation(variance[b], model_);
      double most = -std::numeric_limits<double>::infinity(), sum = 0, d_sigma = 0;
      for (int64_t s = 0; s < samples; ++s) {
        us[s] = (best_[s] - model_.parameters().mean - mean[b * samples + s]) / sigma;
        logs[s] = LogExpectedPositivePart(us[s], &slopes[s]);
        most = std::max(most, logs[s]);
      }
      for (int64_t s = 0; s < samples; ++s) sum += std::exp(logs[s] - most);
      value[b] = std::log(sigma) + most + std::log(sum / samples);
      for (int64_t s = 0; s < samples; ++s) {
        const double share = std::exp(logs[s] - most) / sum;
        d_mean[b * samples + s] = -share * slopes[s] / sigma;
        d_sigma += share * (1 - slopes[s] * us[s]) / sigma;
      }
      d_variance[b] = d_sigma / (2 * sigma);
    }
  });
  if (with_gradients) {
    const at::Tensor weights = RowProduct(d_means, weights_.t()) - 2 * d_variances * posterior.projections;
    result.gradients = model_.CovarianceGradient(groups, model_.points(), posterior.slopes, weights);
  }
  return result;
}

}  // namespace plumb
