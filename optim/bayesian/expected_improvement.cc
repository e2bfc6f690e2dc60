#include "optim/bayesian/expected_improvement.h"

#include <cmath>
#include <utility>

#include "optim/bayesian/normal_distribution.h"

namespace plumb {

MomentFunction ExpectedImprovement(double best) {
  return [best](double mean, double sigma) {
    const double u = (best - mean) / sigma, density = NormalDensity(u), below = NormalCumulative(u);
    return MomentValue{sigma * (density + u * below), -below, density};
  };
}

MomentFunction LogExpectedImprovement(double best) {
  return [best](double mean, double sigma) {
    const double u = (best - mean) / sigma;
    double slope;
    const double value = LogExpectedPositivePart(u, &slope);
    return MomentValue{value + std::log(sigma), -slope / sigma, (1 - slope * u) / sigma};
  };
}

MomentFunction ProbabilityOfImprovement(double best) {
  return [best](double mean, double sigma) {
    const double u = (best - mean) / sigma, density = NormalDensity(u);
    return MomentValue{NormalCumulative(u), -density / sigma, -density * u / sigma};
  };
}

MomentFunction LogProbabilityOfImprovement(double best) {
  return [best](double mean, double sigma) {
    const double u = (best - mean) / sigma;
    double slope;
    const double value = LogNormalCumulative(u, &slope);
    return MomentValue{value, -slope / sigma, -slope * u / sigma};
  };
}

MomentFunction LogProbabilityOfFeasibility() {
  return [](double mean, double sigma) {
    const double u = mean / sigma;
    double slope;
    const double value = LogNormalCumulative(u, &slope);
    return MomentValue{value, slope / sigma, -slope * u / sigma};
  };
}

MomentAcquisition LogConstrainedExpectedImprovement(
    std::shared_ptr<const GaussianProcess> objective,
    const std::vector<std::shared_ptr<const GaussianProcess>>& constraints, double best) {
  std::vector<MomentAcquisition::Term> terms;
  if (!std::isnan(best)) terms.push_back({std::move(objective), LogExpectedImprovement(best)});
  for (const auto& constraint : constraints) terms.push_back({constraint, LogProbabilityOfFeasibility()});
  return MomentAcquisition(std::move(terms));
}

}  // namespace plumb
