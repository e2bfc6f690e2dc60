#include "optim/bayesian/normal_distribution.h"

#include <ATen/ops/special_ndtri.h>

#include <cmath>

#include "optim/core/sobol.h"

namespace plumb {
namespace {

constexpr double kTail = -5;
constexpr int kTerms = 40;  // of the continued fraction, which are enough from 5 on
const double kLogRootTwoPi = 0.5 * std::log(2 * M_PI);

// c of LogExpectedPositivePart.
double MillsRest(double u) {
  double rest = 0;
  for (int k = kTerms; k >= 1; --k) rest = k / (u + rest);
  return rest;
}

}  // namespace

double NormalDensity(double u) { return std::exp(LogNormalDensity(u)); }
double LogNormalDensity(double u) { return -0.5 * u * u - kLogRootTwoPi; }
double NormalCumulative(double u) { return 0.5 * std::erfc(-u * M_SQRT1_2); }

double LogNormalCumulative(double u, double* derivative) {
  if (u < kTail) {
    const double inverse_ratio = -u + MillsRest(-u);
    if (derivative != nullptr) *derivative = inverse_ratio;
    return LogNormalDensity(u) - std::log(inverse_ratio);
  }
  const double value = u > 0 ? std::log1p(-NormalCumulative(-u)) : std::log(NormalCumulative(u));
  if (derivative != nullptr) *derivative = std::exp(LogNormalDensity(u) - value);
  return value;
}

double LogExpectedPositivePart(double u, double* derivative) {
  if (u < kTail) {
    const double rest = MillsRest(-u);
    if (derivative != nullptr) *derivative = 1 / rest;
    // c / (|u| + c), without overflow of either.
    return LogNormalDensity(u) + std::log(rest / (rest - u));
  }
  const double h = NormalDensity(u) + u * NormalCumulative(u);
  if (derivative != nullptr) *derivative = NormalCumulative(u) / h;
  return std::log(h);
}

at::Tensor NormalSamples(int64_t count, int64_t dimension, const RandomStream& stream) {
  if (dimension == 0 || dimension > SobolSequence::kMaxDimension) {
    return stream.NormalTensor({count, dimension}, at::kDouble);
  }
  const SobolSequence sequence = SobolSequence::Scrambled(dimension, stream).value();
  // The sequence may hold 0, whose inverse is infinite.
  return at::special_ndtri(sequence.Points(0, count).clamp(0x1p-33, 1 - 0x1p-33));
}

}  // namespace plumb
