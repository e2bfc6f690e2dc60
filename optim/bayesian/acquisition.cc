#include "optim/bayesian/acquisition.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace plumb {

double StandardDeviation(double variance, const GaussianProcess& model) {
  return std::sqrt(std::max(variance, 1e-12 * model.parameters().outputscale));
}

Evaluation MomentAcquisition::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), dimension = groups.size(1);
  Evaluation result{at::zeros({count}, at::kDouble), {}};
  if (with_gradients) result.gradients = at::zeros({count, dimension}, at::kDouble);
  double* values = result.values.mutable_data_ptr<double>();
  for (const Term& term : terms_) {
    const GroupPosterior posterior =
        term.model->Posterior(groups.view({count, 1, dimension}), with_gradients);
    at::Tensor d_means = at::empty({count, 1}, at::kDouble),
               d_variances = at::empty({count, 1, 1}, at::kDouble);
    const double *mean = posterior.means.const_data_ptr<double>(),
                 *variance = posterior.covariances.const_data_ptr<double>();
    double *d_mean = d_means.mutable_data_ptr<double>(), *d_variance = d_variances.mutable_data_ptr<double>();
    for (int64_t b = 0; b < count; ++b) {
      const double sigma = StandardDeviation(variance[b], *term.model);
      const MomentValue at_point = term.function(mean[b], sigma);
      values[b] += at_point.value;
      d_mean[b] = at_point.d_mean;
      d_variance[b] = at_point.d_sigma / (2 * sigma);
    }
    if (with_gradients) {
      result.gradients.add_(term.model->Gradient(posterior, d_means, d_variances).view({count, dimension}));
    }
  }
  return result;
}

}  // namespace plumb
