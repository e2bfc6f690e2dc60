#include "optim/bayesian/multi_fidelity_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "optim/bayesian/normal_distribution.h"

namespace plumb {
namespace {

constexpr int kNodes = 12;
constexpr double kPanel = 2;     // the longest interval that takes so many
constexpr double kFarthest = 9;  // what is beyond has no weight
constexpr double kLeastInformation = 1e-300;

struct Quadrature {
  std::array<double, kNodes> nodes, weights;  // of Gauss and Legendre, on [-1, 1]
};

const Quadrature& GaussLegendre() {
  static const Quadrature quadrature = [] {
    Quadrature result;
    for (int i = 0; i < kNodes; ++i) {
      double x = std::cos(M_PI * (i + 0.75) / (kNodes + 0.5)), slope = 0;
      for (int newton = 0; newton < 20; ++newton) {
        double before = 1, now = x;
        for (int k = 2; k <= kNodes; ++k) {
          const double next = ((2 * k - 1) * x * now - (k - 1) * before) / k;
          before = now;
          now = next;
        }
        slope = kNodes * (x * now - before) / (x * x - 1);
        x -= now / slope;
      }
      result.nodes[i] = x;
      result.weights[i] = 2 / ((1 - x * x) * slope * slope);
    }
    return result;
  }();
  return quadrature;
}

}  // namespace

InformationValue TruncatedInformation(double gamma, double correlation) {
  correlation = std::min(std::max(correlation, 0.0), 1 - 1e-6);
  const double squared = correlation * correlation, c = std::sqrt(1 - squared);
  double ratio;  // phi / Phi, whose derivative is -ratio (gamma + ratio)
  const double log_above = LogNormalCumulative(gamma, &ratio);
  InformationValue result{0.5 * squared * gamma * ratio,
                          0.5 * squared * ratio * (1 - gamma * (gamma + ratio)), correlation * gamma * ratio};
  if (correlation == 0) return result;
  // w rises from 0 around u = -gamma / correlation, over a width of c / correlation: parts of their own.
  const double middle = -gamma / correlation, width = 8 * c / correlation;
  const std::array<double, 4> ends = {-kFarthest, std::clamp(middle - width, -kFarthest, kFarthest),
                                      std::clamp(middle + width, -kFarthest, kFarthest), kFarthest};
  const Quadrature& quadrature = GaussLegendre();
  for (int part = 0; part < 3; ++part) {
    const double length = ends[part + 1] - ends[part];
    const int panels = std::max(static_cast<int>(std::ceil(length / kPanel)), part == 1 ? 8 : 1);
    const double half = 0.5 * length / panels;
    if (half <= 0) continue;
    for (int node = 0; node < panels * kNodes; ++node) {
      const int i = node % kNodes;
      const double u = ends[part] + half * (2 * (node / kNodes) + 1 + quadrature.nodes[i]);
      const double density = half * quadrature.weights[i] * NormalDensity(u);
      const double t = (gamma + correlation * u) / c;
      const double log_w = LogNormalCumulative(t) - log_above, w = std::exp(log_w);
      // The mean of w - 1 is 0, and w log w - (w - 1) has no part that cancels.
      result.value += density * (w > 0 ? w * log_w - std::expm1(log_w) : 1);
      if (w == 0) continue;
      const double slope = std::exp(LogNormalDensity(t) - log_above);  // dw/dt
      result.d_gamma += density * log_w * (slope / c - w * ratio);
      result.d_correlation += density * log_w * slope * (u + gamma * correlation) / (c * c * c);
    }
  }
  return result;
}

Evaluation MultiFidelityEntropy::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0);
  // (x, s) and (x, 1), together.
  const at::Tensor pairs = at::stack({groups, AtHighestFidelity(groups, coordinate_)}, 1);
  const GroupPosterior posterior = model_->Posterior(pairs, with_gradients);
  const at::Tensor covariances = posterior.covariances.contiguous();
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::zeros({count, 2}, at::kDouble),
             d_covariances = at::zeros({count, 2, 2}, at::kDouble);
  const double noise = model_->parameters().noise;
  for (int64_t b = 0; b < count; ++b) {
    const double* covariance = covariances.const_data_ptr<double>() + 4 * b;
    double* d_covariance = d_covariances.mutable_data_ptr<double>() + 4 * b;
    const double low = StandardDeviation(covariance[0], *model_),
                 high = StandardDeviation(covariance[3], *model_), total = low * low + noise;
    const double shared = 0.5 * (covariance[1] + covariance[2]);
    // What is correlated the other way round tells as much.
    const double correlation = std::abs(shared) / (std::sqrt(total) * high);
    const double mean = posterior.means.const_data_ptr<double>()[2 * b + 1];
    double value = 0, of_gamma = 0, of_correlation = 0, of_high = 0;
    for (const double minimum : minima_) {
      const double gamma = (mean - minimum) / high;
      const InformationValue information = TruncatedInformation(gamma, correlation);
      value += information.value;
      of_gamma += information.d_gamma / high;
      of_high -= information.d_gamma * gamma / high;
      of_correlation += information.d_correlation;
    }
    value = std::max(value, kLeastInformation);
    if (correlation >= 1 - 1e-6) of_correlation = 0;
    // The logarithm's.
    of_gamma /= value, of_high /= value, of_correlation /= value;
    d_means.mutable_data_ptr<double>()[2 * b + 1] = of_gamma;
    d_covariance[1] = d_covariance[2] =
        std::copysign(0.5 * of_correlation / (std::sqrt(total) * high), shared * of_correlation);
    d_covariance[0] = -0.5 * of_correlation * correlation / total;
    d_covariance[3] = (of_high - of_correlation * correlation / high) / (2 * high);
    result.values.mutable_data_ptr<double>()[b] = std::log(value / static_cast<double>(minima_.size()));
  }
  if (with_gradients) {
    result.gradients = FidelityGradient(model_->Gradient(posterior, d_means, d_covariances), coordinate_);
  }
  return result;
}

}  // namespace plumb
