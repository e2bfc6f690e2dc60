#include "optim/bayesian/augmented_improvement.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "optim/bayesian/expected_improvement.h"

namespace plumb {
namespace {

// Correlations at most so small count alike: an acquisition needs a logarithm everywhere.
constexpr double kLeastCorrelation = 1e-6;

}  // namespace

Evaluation AugmentedImprovement::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0);
  // (x, s) and (x, 1), together.
  const at::Tensor pairs = at::stack({groups, AtHighestFidelity(groups, coordinate_)}, 1);
  const GroupPosterior posterior = model_->Posterior(pairs, with_gradients);
  const at::Tensor covariances = posterior.covariances.contiguous();
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::zeros({count, 2}, at::kDouble),
             d_covariances = at::zeros({count, 2, 2}, at::kDouble);
  const MomentFunction improvement = LogExpectedImprovement(best_);
  const double noise = model_->parameters().noise;
  for (int64_t b = 0; b < count; ++b) {
    const double* covariance = covariances.const_data_ptr<double>() + 4 * b;
    double* d_covariance = d_covariances.mutable_data_ptr<double>() + 4 * b;
    const double low = StandardDeviation(covariance[0], *model_),
                 high = StandardDeviation(covariance[3], *model_);
    const MomentValue moment = improvement(posterior.means.const_data_ptr<double>()[2 * b + 1], high);
    double value = moment.value;
    d_means.mutable_data_ptr<double>()[2 * b + 1] = moment.d_mean;
    d_covariance[3] = moment.d_sigma / (2 * high);

    const double shared = 0.5 * (covariance[1] + covariance[2]), correlation = shared / (low * high);
    value += std::log(std::max(correlation, kLeastCorrelation));
    if (correlation > kLeastCorrelation) {
      d_covariance[1] = d_covariance[2] = 0.5 / shared;
      d_covariance[0] -= 0.5 / (low * low);
      d_covariance[3] -= 0.5 / (high * high);
    }

    // 1 - sqrt(noise / total), without the difference of numbers that are nearly the same.
    const double variance = low * low, total = variance + noise, root = std::sqrt(noise / total);
    const double left = variance / (total * (1 + root));
    value += std::log(left);
    d_covariance[0] += 0.5 * root / (total * left);

    result.values.mutable_data_ptr<double>()[b] = value;
  }
  if (with_gradients) {
    result.gradients = FidelityGradient(model_->Gradient(posterior, d_means, d_covariances), coordinate_);
  }
  return result;
}

double EffectiveBest(const GaussianProcess& model, int64_t fidelity) {
  const at::Tensor highest = AtHighestFidelity(model.ValuePoints(), fidelity);
  return model.Posterior(highest.unsqueeze(1), /*with_gradients=*/false).means.min().item<double>();
}

}  // namespace plumb
