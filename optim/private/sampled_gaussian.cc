#include "optim/private/sampled_gaussian.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {

absl::Status CheckPhases(absl::Span<const SampledGaussian> phases) {
  for (const SampledGaussian& phase : phases) {
    if (!(phase.noise_multiplier > 0) || std::isinf(phase.noise_multiplier)) {
      return absl::InvalidArgumentError(absl::StrCat("noise multiplier ", phase.noise_multiplier,
                                                     ": must be a number above 0, or nothing is private"));
    }
    if (!(phase.sampling_rate >= 0 && phase.sampling_rate <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("sampling rate ", phase.sampling_rate,
                       ": must be within [0, 1], the expected batch size divided by the examples"));
    }
    if (phase.steps < 0) {
      return absl::InvalidArgumentError(absl::StrCat("steps ", phase.steps, ": must be at least 0"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDelta(double delta) {
  if (delta > 0 && delta < 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("delta ", delta, ": must be within (0, 1), well below one divided by the examples"));
}

absl::StatusOr<double> FindNoiseMultiplier(double target_epsilon, double start,
                                           absl::FunctionRef<absl::StatusOr<double>(double)> epsilon_of) {
  constexpr double kTolerance = 1e-6;
  constexpr double kSmallest = 1e-2, kLargest = 1e6;
  if (!(target_epsilon > 0) || std::isinf(target_epsilon)) {
    return absl::InvalidArgumentError(
        absl::StrCat("target epsilon ", target_epsilon, ": must be a number above 0"));
  }
  const double target = std::log(target_epsilon);
  // The logarithm of epsilon above the target; an epsilon of 0 is as good as a tiny one.
  const auto excess = [&](double noise) -> absl::StatusOr<double> {
    PLUMB_ASSIGN_OR_RETURN(const double epsilon, epsilon_of(noise));
    return std::log(std::max(epsilon, 1e-6 * target_epsilon)) - target;
  };

  // Logarithms, in which epsilon is close to a straight line.
  double low = std::log(start), high = low;
  PLUMB_ASSIGN_OR_RETURN(double low_excess, excess(start));
  double high_excess = low_excess;
  for (double stride = 0.05; high_excess > 0; stride *= 2) {
    low = high, low_excess = high_excess;
    high += stride;
    if (high > std::log(kLargest)) {
      return absl::InvalidArgumentError(absl::StrCat("epsilon ", target_epsilon,
                                                     " needs a noise multiplier above ", kLargest,
                                                     ": ask for a larger epsilon, or for fewer steps"));
    }
    PLUMB_ASSIGN_OR_RETURN(high_excess, excess(std::exp(high)));
  }
  for (double stride = 0.05; low_excess <= 0; stride *= 2) {
    high = low, high_excess = low_excess;
    low -= stride;
    // So little noise that nobody asks for less.
    if (low < std::log(kSmallest)) return kSmallest;
    PLUMB_ASSIGN_OR_RETURN(low_excess, excess(std::exp(low)));
  }

  // Regula falsi; an end that stays twice has its excess halved (the Illinois rule).
  double low_weight = low_excess, high_weight = high_excess;
  int moved = 0;  // -1: the lower end moved last, 1: the upper
  while (high - low > kTolerance) {
    double middle = (low * high_weight - high * low_weight) / (high_weight - low_weight);
    // Within the interval by the tolerance, so that its far end moves too once the near one is found.
    middle = std::clamp(middle, low + kTolerance / 4, high - kTolerance / 4);
    PLUMB_ASSIGN_OR_RETURN(const double value, excess(std::exp(middle)));
    if (value > 0) {
      low = middle, low_weight = value;
      if (moved == -1) high_weight /= 2;
      moved = -1;
    } else {
      high = middle, high_weight = std::min(value, -1e-300);
      if (moved == 1) low_weight /= 2;
      moved = 1;
    }
  }
  return std::exp(high);
}

}  // namespace plumb
