#ifndef PLUMB_OPTIM_PRIVATE_RDP_ACCOUNTANT_H_
#define PLUMB_OPTIM_PRIVATE_RDP_ACCOUNTANT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/private/sampled_gaussian.h"

namespace plumb {

// Accounting by Renyi differential privacy, an upper bound: Mironov, Talwar and Zhang 2019, "Renyi
// Differential Privacy of the Sampled Gaussian Mechanism" (arXiv 1908.10530); to epsilon and delta by
// Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), Proposition 12. Orders and conversion are those of
// Google's dp-accounting. Fast, and looser than pld_accountant.h.
//
// Figures are dp-accounting's wherever an integer order is the best one, and always when integer orders alone
// are asked for. For other orders its _compute_log_a_frac (0.6.0) sums the alternating series of Mironov,
// Talwar and Zhang's section 3.3 without the signs of its terms: an upper bound, which leaves the truth by
// more than 1e-3 where the best order is small, that is, where epsilon is large; and an order whose series
// does not converge within 1000 terms is left out. Noise 0.7478, rate 0.088436, order 1.7: the logarithm
// below is 0.019943 by quadrature of 25 digits and here, 0.021670 there. So 6 of the 54 golden epsilons, all
// above 9, are lower here than there, by up to a quarter, and still bounds: those of pld_accountant.h are
// lower yet.

// The Renyi divergence of order `order` > 1 of one step,
//   log(E_{x ~ N(0, s^2)} [(1 - q + q exp((2 x - 1) / (2 s^2)))^order]) / (order - 1),
// s the noise multiplier and q the sampling rate: the larger of the two directions. Integer
// orders by the binomial sum (section 3.3), others by quadrature.
double SampledGaussianRdp(double noise_multiplier, double sampling_rate, double order);

// The epsilon that phases, one after the other, have at `delta`; and the reverse. The best of `orders`, each
// above 1; none: 1.1 to 10.9 by tenths, 11 to 63, 128, 256, 512 and 1024, dp-accounting's own.
absl::StatusOr<double> RdpEpsilon(absl::Span<const SampledGaussian> phases, double delta,
                                  absl::Span<const double> orders = {});
absl::StatusOr<double> RdpDelta(absl::Span<const SampledGaussian> phases, double epsilon,
                                absl::Span<const double> orders = {});

// The smallest noise multiplier for `target_epsilon` at `delta`.
absl::StatusOr<double> RdpNoiseMultiplier(double target_epsilon, double delta, double sampling_rate,
                                          int64_t steps);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_RDP_ACCOUNTANT_H_
