#include "optim/bayesian/max_value_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "optim/bayesian/normal_distribution.h"

namespace plumb {

MomentFunction MaxValueEntropy(std::vector<double> minima) {
  return [minima = std::move(minima)](double mean, double sigma) {
    MomentValue sum{0, 0, 0};
    for (const double minimum : minima) {
      const double gamma = (mean - minimum) / sigma;
      double ratio;  // phi / Phi, whose derivative is -ratio (gamma + ratio)
      const double log_below = LogNormalCumulative(gamma, &ratio);
      const double slope = -0.5 * ratio * (1 + gamma * (gamma + ratio));
      sum.value += 0.5 * gamma * ratio - log_below;
      sum.d_mean += slope / sigma;
      sum.d_sigma -= slope * gamma / sigma;
    }
    const double count = minima.size();
    return MomentValue{sum.value / count, sum.d_mean / count, sum.d_sigma / count};
  };
}

std::vector<double> SampleMinima(const GaussianProcess& model, const at::Tensor& candidates, int64_t count,
                                 const RandomStream& stream) {
  const int64_t size = candidates.size(0);
  const GroupPosterior posterior =
      model.Posterior(candidates.view({size, 1, candidates.size(1)}), /*with_gradients=*/false);
  std::vector<double> means(size), sigmas(size);
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (int64_t i = 0; i < size; ++i) {
    means[i] = posterior.means.const_data_ptr<double>()[i];
    sigmas[i] = StandardDeviation(posterior.covariances.const_data_ptr<double>()[i], model);
    lowest = std::min(lowest, means[i] - 8 * sigmas[i]);
    highest = std::max(highest, means[i] + 8 * sigmas[i]);
  }
  // Where P(minimum > y), the product of P(f_i > y), is `probability`.
  const auto quantile = [&](double probability) {
    double low = lowest, high = highest;
    for (int i = 0; i < 100 && low < high; ++i) {
      const double middle = 0.5 * (low + high);
      double log_above = 0;
      for (int64_t j = 0; j < size; ++j) log_above += LogNormalCumulative((means[j] - middle) / sigmas[j]);
      (log_above > std::log(probability) ? low : high) = middle;
    }
    return 0.5 * (low + high);
  };
  // -minimum is a + b times a standard Gumbel number: P(-minimum < z) = exp(-exp(-(z - a) / b)).
  const double scale =
      (quantile(0.25) - quantile(0.75)) / (std::log(std::log(4.0)) - std::log(std::log(4.0 / 3)));
  const double location = -quantile(0.5) + scale * std::log(std::log(2.0));
  std::vector<double> minima(count);
  for (int64_t k = 0; k < count; ++k) {
    minima[k] = -(location - scale * std::log(-std::log(1 - stream.Uniform(k))));
  }
  return minima;
}

}  // namespace plumb
