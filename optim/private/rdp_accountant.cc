#include "optim/private/rdp_accountant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double LogAdd(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return low == -kInfinity ? high : high + std::log1p(std::exp(low - high));
}

// log E[...] for an integer order: sum over k of C(order, k) (1-q)^(order-k) q^k exp((k^2-k) / (2 s^2)).
double LogMomentBySum(double noise, double rate, int64_t order) {
  double log_moment = -kInfinity;
  for (int64_t k = 0; k <= order; ++k) {
    const double log_binomial = std::lgamma(order + 1) - std::lgamma(k + 1) - std::lgamma(order - k + 1);
    log_moment = LogAdd(log_moment, log_binomial + (order - k) * std::log1p(-rate) + k * std::log(rate) +
                                        0.5 * static_cast<double>(k * k - k) / (noise * noise));
  }
  return log_moment;
}

// By the trapezium rule over t = x / noise. The integrand is analytic for |Im t| < pi * noise, so that steps
// of a quarter of min(1, noise) leave no error that f64 could hold.
double LogMomentByQuadrature(double noise, double rate, double order) {
  const double step = 0.25 * std::min(1.0, noise);
  const auto count = static_cast<int64_t>((order / noise + 20) / step) + 1;
  double log_sum = -kInfinity;
  for (int64_t i = 0; i <= count; ++i) {
    const double t = -10 + i * step;
    const double log_ratio =
        LogAdd(std::log1p(-rate), std::log(rate) + (2 * t * noise - 1) / (2 * noise * noise));
    log_sum = LogAdd(log_sum, order * log_ratio - t * t / 2);
  }
  return log_sum + std::log(step) - 0.5 * std::log(2 * M_PI);
}

const std::vector<double>& DefaultOrders() {
  static const auto* const orders = [] {
    auto* list = new std::vector<double>;
    for (int i = 1; i < 100; ++i) list->push_back(1 + i / 10.0);
    for (int i = 11; i < 64; ++i) list->push_back(i);
    for (const double order : {128, 256, 512, 1024}) list->push_back(order);
    return list;
  }();
  return *orders;
}

// An order, and the divergence of all phases together.
struct OrderRdp {
  double order;
  double rdp;
};

absl::StatusOr<std::vector<OrderRdp>> TotalRdp(absl::Span<const SampledGaussian> phases,
                                               absl::Span<const double> orders) {
  PLUMB_RETURN_IF_ERROR(CheckPhases(phases));
  std::vector<OrderRdp> total;
  for (const double order : orders.empty() ? absl::MakeConstSpan(DefaultOrders()) : orders) {
    if (!(order > 1) || std::isinf(order)) {
      return absl::InvalidArgumentError(absl::StrCat("order ", order, ": must be a number above 1"));
    }
    double rdp = 0;
    for (const SampledGaussian& phase : phases) {
      rdp += phase.steps * SampledGaussianRdp(phase.noise_multiplier, phase.sampling_rate, order);
    }
    total.push_back({order, rdp});
  }
  return total;
}

}  // namespace

double SampledGaussianRdp(double noise_multiplier, double sampling_rate, double order) {
  if (sampling_rate == 0) return 0;
  if (sampling_rate == 1) return order / (2 * noise_multiplier * noise_multiplier);
  const double log_moment = order == std::floor(order)
                                ? LogMomentBySum(noise_multiplier, sampling_rate, static_cast<int64_t>(order))
                                : LogMomentByQuadrature(noise_multiplier, sampling_rate, order);
  return std::max(0.0, log_moment) / (order - 1);
}

absl::StatusOr<double> RdpEpsilon(absl::Span<const SampledGaussian> phases, double delta,
                                  absl::Span<const double> orders) {
  PLUMB_RETURN_IF_ERROR(CheckDelta(delta));
  PLUMB_ASSIGN_OR_RETURN(const std::vector<OrderRdp> total, TotalRdp(phases, orders));
  double epsilon = kInfinity;
  for (const auto& [order, rdp] : total) {
    // The divergence bounds Kullback and Leibler's, and total variation is at most sqrt(1 - exp(-KL)).
    if (delta * delta + std::expm1(-rdp) > 0) return 0;
    epsilon = std::min(epsilon, rdp + std::log1p(-1 / order) - std::log(delta * order) / (order - 1));
  }
  return std::max(0.0, epsilon);
}

absl::StatusOr<double> RdpDelta(absl::Span<const SampledGaussian> phases, double epsilon,
                                absl::Span<const double> orders) {
  if (!(epsilon >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat("epsilon ", epsilon, ": must be at least 0"));
  }
  PLUMB_ASSIGN_OR_RETURN(const std::vector<OrderRdp> total, TotalRdp(phases, orders));
  double log_delta = 0;
  for (const auto& [order, rdp] : total) {
    if (rdp == 0) return 0;
    log_delta = std::min({log_delta, 0.5 * std::log1p(-std::exp(-rdp)),
                          (order - 1) * (rdp - epsilon + std::log1p(-1 / order)) - std::log(order)});
  }
  return std::exp(log_delta);
}

absl::StatusOr<double> RdpNoiseMultiplier(double target_epsilon, double delta, double sampling_rate,
                                          int64_t steps) {
  return FindNoiseMultiplier(target_epsilon, /*start=*/1, [&](double noise_multiplier) {
    return RdpEpsilon({{noise_multiplier, sampling_rate, steps}}, delta);
  });
}

}  // namespace plumb
