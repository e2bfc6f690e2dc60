#ifndef PLUMB_OPTIM_PRIVATE_PLD_ACCOUNTANT_H_
#define PLUMB_OPTIM_PRIVATE_PLD_ACCOUNTANT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/private/sampled_gaussian.h"

namespace plumb {

// Accounting by the privacy loss distribution: the distribution of log(P(x) / Q(x)), x ~ P, on a grid,
// composed by discrete Fourier transforms (Koskela, Jalko and Honkela 2020, arXiv 1906.03049). Put on the
// grid as Doroshenko et al. 2022, "Connect the Dots: Tighter Discrete Approximations of Privacy Loss
// Distributions" (arXiv 2207.04380), Algorithm 1: exact at each epsilon of the grid before composition, above
// the truth everywhere. Here each interval's probability under P and under Q is split between the interval's
// ends, which is the same distribution without the second differences of deltas that cost 8 digits.
//
// Both directions (an example removed, an example added) are kept; answers are the worse of the two. Tails
// outside the composed window, at most 1e-15, count as an infinite loss. Rounding of the transforms leaves an
// absolute error of about 1e-14 in a delta: deltas below 1e-12 mean nothing.
class PrivacyLossDistribution {
 public:
  // Of phases one after the other. `interval` is the grid's; time and memory grow with the range of losses
  // divided by it, and a range of more than 2^24 intervals is refused.
  static absl::StatusOr<PrivacyLossDistribution> Compose(absl::Span<const SampledGaussian> phases,
                                                         double interval = 1e-4);

  // The smallest epsilon at `delta` in (0, 1); infinite if there is none.
  absl::StatusOr<double> Epsilon(double delta) const;
  // The delta at `epsilon` >= 0.
  absl::StatusOr<double> Delta(double epsilon) const;

 private:
  // One direction: probability[i] is that of a loss of (lowest + i) * interval.
  struct Losses {
    int64_t lowest = 0;
    std::vector<double> probability;
    double infinite = 0;  // the probability of an infinite loss
  };
  struct Factor;

  static absl::StatusOr<std::array<Losses, 2>> OneStep(const SampledGaussian& phase, double interval);
  static absl::StatusOr<std::array<Losses, 2>> Convolve(absl::Span<const Factor> factors, double interval);
  double Epsilon(const Losses& losses, double delta) const;
  double Delta(const Losses& losses, double epsilon) const;

  double interval_ = 0;
  std::array<Losses, 2> directions_;  // the example removed, the example added
};

// The smallest noise multiplier for `target_epsilon` at `delta`.
absl::StatusOr<double> PldNoiseMultiplier(double target_epsilon, double delta, double sampling_rate,
                                          int64_t steps);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_PLD_ACCOUNTANT_H_
