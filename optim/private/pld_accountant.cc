#include "optim/private/pld_accountant.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/private/rdp_accountant.h"

namespace plumb {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMaxSize = 1 << 24;
constexpr double kTailProbability = 1e-15;  // outside the window of a composition
constexpr double kNoiseReach = 10;          // in standard deviations: beyond it 1e-23

// The probability that a standard normal number is within [low, high], from the tail that loses no digits.
double NormalProbability(double low, double high) {
  if (low > 0) return 0.5 * (std::erfc(low * M_SQRT1_2) - std::erfc(high * M_SQRT1_2));
  if (high < 0) return NormalProbability(-high, -low);
  return 0.5 * (std::erf(high * M_SQRT1_2) - std::erf(low * M_SQRT1_2));
}

using Complex = std::complex<double>;

// The discrete Fourier transform in place, size a power of two (radix 2, decimation in time): serial and of
// one order of additions, so that an epsilon has the same bits everywhere.
void Transform(std::vector<Complex>* values, bool inverse) {
  std::vector<Complex>& v = *values;
  const size_t size = v.size();
  for (size_t i = 1, j = 0; i < size; ++i) {
    size_t bit = size / 2;
    for (; j & bit; bit /= 2) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(v[i], v[j]);
  }
  // The roots of unity of each pass side by side: those of `half` begin at roots[half].
  std::vector<Complex> roots(size);
  for (size_t i = 0; i < size / 2; ++i) {
    roots[size / 2 + i] = std::polar(1.0, (inverse ? 2 : -2) * M_PI * static_cast<double>(i) / size);
  }
  for (size_t i = size / 2; i-- > 1;) roots[i] = roots[2 * i];
  for (size_t half = 1; half < size; half *= 2) {
    for (size_t begin = 0; begin < size; begin += 2 * half) {
      for (size_t i = 0; i < half; ++i) {
        const Complex a = v[begin + i], turned = v[begin + half + i] * roots[half + i];
        v[begin + i] = a + turned;
        v[begin + half + i] = a - turned;
      }
    }
  }
  if (inverse) {
    for (Complex& value : v) value /= size;
  }
}

Complex Power(Complex base, int64_t exponent) {
  Complex power = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) power *= base;
    base *= base;
  }
  return power;
}

}  // namespace

struct PrivacyLossDistribution::Factor {
  std::array<Losses, 2> directions;
  int64_t times;
};

absl::StatusOr<std::array<PrivacyLossDistribution::Losses, 2>> PrivacyLossDistribution::OneStep(
    const SampledGaussian& phase, double interval) {
  // P = (1-q) N(0, s^2) + q N(1, s^2) with the example, Q = N(0, s^2) without it.
  const double s = phase.noise_multiplier, q = phase.sampling_rate;
  const auto loss_at = [&](double x) {
    const double z = (2 * x - 1) / (2 * s * s);
    // log(1 - q + q e^z) without overflow.
    if (q == 1) return z;
    return z < 0 ? std::log1p(q * std::expm1(z)) : z + std::log(q + (1 - q) * std::exp(-z));
  };
  const double first = std::floor(loss_at(-kNoiseReach * s) / interval);
  const double last = std::ceil(loss_at(1 + kNoiseReach * s) / interval);
  if (!(last - first < kMaxSize)) {
    return absl::InvalidArgumentError(absl::StrCat("noise multiplier ", s,
                                                   ": its privacy losses need more than 2^24 intervals of ",
                                                   interval, "; use more noise or a larger interval"));
  }
  const auto lowest = static_cast<int64_t>(first), highest = static_cast<int64_t>(last);
  // The x whose loss is `loss`; -inf where every x has more.
  const auto point = [&](int64_t index) {
    const double loss = index * interval;
    if (q == 1) return s * s * loss + 0.5;
    // log(1 + (e^loss - 1) / q); for large losses without overflow.
    const double ratio = std::expm1(loss) / q;
    if (ratio <= -1) return -kInfinity;
    return s * s * (loss < 30 ? std::log1p(ratio) : loss - std::log(q)) + 0.5;
  };

  const int64_t size = highest - lowest + 1;
  Losses removed = {lowest, std::vector<double>(size), 0};
  Losses added = {-highest, std::vector<double>(size), 0};
  const auto probabilities = [&](double low, double high, double* p_part, double* q_part) {
    *q_part = NormalProbability(low / s, high / s);
    *p_part = (1 - q) * *q_part + q * NormalProbability((low - 1) / s, (high - 1) / s);
  };
  double low = point(lowest), p_part, q_part;
  // Below the grid: rounded up to its end when an example is removed, an infinite loss when it is added.
  probabilities(-kInfinity, low, &p_part, &q_part);
  removed.probability.front() += p_part;
  added.infinite = q_part;
  const double scale = -std::expm1(-interval);
  for (int64_t i = 0; i + 1 < size; ++i) {
    const double high = point(lowest + i + 1);
    probabilities(low, high, &p_part, &q_part);
    // What goes to the upper end so that both P and Q of the interval are kept: u + l = P, u e^-upper +
    // l e^-lower = Q.
    const double up = (p_part - std::exp((lowest + i) * interval) * q_part) / scale;
    const double p_up = std::clamp(up, 0.0, p_part);
    removed.probability[i] += p_part - p_up;
    removed.probability[i + 1] += p_up;
    // The same with P and Q, and the signs of losses, exchanged.
    const double down = (q_part - std::exp(-(lowest + i + 1) * interval) * p_part) / scale;
    const double q_up = std::clamp(down, 0.0, q_part);
    added.probability[size - 1 - i] += q_up;
    added.probability[size - 2 - i] += q_part - q_up;
    low = high;
  }
  probabilities(low, kInfinity, &p_part, &q_part);
  removed.infinite = p_part;
  added.probability.front() += q_part;
  return std::array<Losses, 2>{std::move(removed), std::move(added)};
}

absl::StatusOr<std::array<PrivacyLossDistribution::Losses, 2>> PrivacyLossDistribution::Convolve(
    absl::Span<const Factor> factors, double interval) {
  // All losses of the sums, then the windows that Chernoff's bound leaves: P(sum >= b) <= E[e^(t sum)] e^(-t
  // b).
  const double log_tail = std::log(2 / kTailProbability);
  std::array<Losses, 2> sums;
  std::array<double, 2> lowest = {0, 0};  // of each sum, in intervals
  double length = 1;
  for (int direction = 0; direction < 2; ++direction) {
    double highest = 0, log_finite = 0;
    for (const auto& [directions, times] : factors) {
      const Losses& losses = directions[direction];
      lowest[direction] += static_cast<double>(losses.lowest) * times;
      highest += (static_cast<double>(losses.lowest) + losses.probability.size() - 1) * times;
      log_finite += times * std::log1p(-losses.infinite);
    }
    double window_low = lowest[direction], window_high = highest;
    for (int octave = -6; octave <= 10; ++octave) {
      for (const double sign : {-1, 1}) {
        const double t = sign * std::pow(2.0, octave) * interval;  // per interval
        const double decay = std::exp(-std::abs(t));
        double log_moment = 0;
        for (const auto& [directions, times] : factors) {
          // From the end with the largest exponent, which is taken out of the sum.
          const Losses& losses = directions[direction];
          const auto size = static_cast<int64_t>(losses.probability.size());
          const int64_t end = sign > 0 ? size - 1 : 0;
          double sum = 0, weight = 1;
          for (int64_t i = 0; i < size && weight > 1e-60; ++i, weight *= decay) {
            sum += weight * losses.probability[sign > 0 ? end - i : i];
          }
          log_moment += times * (std::log(sum) + t * (losses.lowest + end));
        }
        const double bound = (log_moment + log_tail) / t;
        if (sign > 0) window_high = std::min(window_high, std::ceil(bound));
        if (sign < 0) window_low = std::max(window_low, std::floor(bound));
      }
    }
    if (!(window_high - window_low < kMaxSize)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the composed privacy losses need more than 2^24 intervals of ", interval,
                       "; use more noise, fewer steps or a larger interval"));
    }
    sums[direction].lowest = static_cast<int64_t>(window_low);
    sums[direction].probability.resize(static_cast<size_t>(window_high - window_low) + 1);
    sums[direction].infinite = -std::expm1(log_finite) + kTailProbability;
    length = std::max(length, window_high - window_low + 1);
  }

  size_t size = 1;
  while (size < length) size *= 2;
  // Both directions are real: one is the real part of what is transformed, the other the imaginary part.
  std::vector<Complex> removed(size / 2 + 1, 1.0), added(size / 2 + 1, 1.0);
  for (const auto& [directions, times] : factors) {
    // Folded to the cycle of the transform, as the sum itself is.
    std::vector<Complex> values(size);
    for (size_t i = 0; i < directions[0].probability.size(); ++i) {
      values[i % size] += Complex(directions[0].probability[i], directions[1].probability[i]);
    }
    Transform(&values, /*inverse=*/false);
    for (size_t k = 0; k <= size / 2; ++k) {
      const Complex value = values[k], mirrored = std::conj(values[(size - k) % size]);
      removed[k] *= Power(0.5 * (value + mirrored), times);
      added[k] *= Power(Complex(0, -0.5) * (value - mirrored), times);
    }
  }
  std::vector<Complex> product(size);
  for (size_t k = 0; k <= size / 2; ++k) {
    product[k] = removed[k] + Complex(0, 1) * added[k];
    product[(size - k) % size] = std::conj(removed[k]) + Complex(0, 1) * std::conj(added[k]);
  }
  Transform(&product, /*inverse=*/true);

  for (int direction = 0; direction < 2; ++direction) {
    std::vector<double>& probability = sums[direction].probability;
    const double distance = sums[direction].lowest - lowest[direction];
    const auto offset = static_cast<size_t>(std::fmod(distance, static_cast<double>(size)));
    for (size_t i = 0; i < probability.size(); ++i) {
      const Complex value = product[(offset + i) % size];
      probability[i] = direction == 0 ? value.real() : value.imag();
    }
  }
  return sums;
}

absl::StatusOr<PrivacyLossDistribution> PrivacyLossDistribution::Compose(
    absl::Span<const SampledGaussian> phases, double interval) {
  PLUMB_RETURN_IF_ERROR(CheckPhases(phases));
  if (!(interval > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("interval ", interval, ": must be above 0"));
  }
  std::vector<Factor> factors;
  for (SampledGaussian phase : phases) {
    if (phase.sampling_rate == 0 || phase.steps == 0) continue;
    if (phase.sampling_rate == 1) {
      // Sums of normal numbers are normal: one step with less noise, without a composition's error.
      phase.noise_multiplier /= std::sqrt(phase.steps);
      phase.steps = 1;
    }
    PLUMB_ASSIGN_OR_RETURN(auto directions, OneStep(phase, interval));
    factors.push_back({std::move(directions), phase.steps});
  }
  PrivacyLossDistribution distribution;
  distribution.interval_ = interval;
  if (factors.size() == 1 && factors[0].times == 1) {
    distribution.directions_ = std::move(factors[0].directions);
  } else {
    PLUMB_ASSIGN_OR_RETURN(distribution.directions_, Convolve(factors, interval));
  }
  return distribution;
}

double PrivacyLossDistribution::Delta(const Losses& losses, double epsilon) const {
  double delta = losses.infinite;
  for (auto i = static_cast<int64_t>(losses.probability.size()) - 1; i >= 0; --i) {
    const double loss = (losses.lowest + i) * interval_;
    if (loss <= epsilon) break;
    delta -= losses.probability[i] * std::expm1(epsilon - loss);
  }
  return std::clamp(delta, 0.0, 1.0);
}

double PrivacyLossDistribution::Epsilon(const Losses& losses, double delta) const {
  if (losses.infinite > delta) return kInfinity;
  // From the right: delta(epsilon) = above - e^(epsilon - loss) * discounted until the next point above
  // `loss`, discounted the sum of p e^(loss - l) over the losses l above.
  const double decay = std::exp(-interval_);
  double above = losses.infinite, discounted = 0, loss = 0;
  for (auto i = static_cast<int64_t>(losses.probability.size()) - 1; i >= 0; --i) {
    loss = (losses.lowest + i) * interval_;
    discounted *= decay;
    if (above - discounted > delta || loss < 0) break;
    above += losses.probability[i];
    discounted += losses.probability[i];
  }
  if (above <= delta || discounted <= 0) return 0;
  return std::max(0.0, loss + std::log((above - delta) / discounted));
}

absl::StatusOr<double> PrivacyLossDistribution::Epsilon(double delta) const {
  PLUMB_RETURN_IF_ERROR(CheckDelta(delta));
  return std::max(Epsilon(directions_[0], delta), Epsilon(directions_[1], delta));
}

absl::StatusOr<double> PrivacyLossDistribution::Delta(double epsilon) const {
  if (!(epsilon >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat("epsilon ", epsilon, ": must be at least 0"));
  }
  return std::max(Delta(directions_[0], epsilon), Delta(directions_[1], epsilon));
}

absl::StatusOr<double> PldNoiseMultiplier(double target_epsilon, double delta, double sampling_rate,
                                          int64_t steps) {
  // The looser bound is a good start.
  PLUMB_ASSIGN_OR_RETURN(const double start, RdpNoiseMultiplier(target_epsilon, delta, sampling_rate, steps));
  return FindNoiseMultiplier(target_epsilon, start, [&](double noise) -> absl::StatusOr<double> {
    PLUMB_ASSIGN_OR_RETURN(const PrivacyLossDistribution distribution,
                           PrivacyLossDistribution::Compose({{noise, sampling_rate, steps}}));
    return distribution.Epsilon(delta);
  });
}

}  // namespace plumb
