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
// Google's dp-accounting; its figures are the golden ones. Fast, and looser than pld_accountant.h.

// The Renyi divergence of order `order` > 1 of one step,
//   log(E_{x ~ N(0, s^2)} [(1 - q + q exp((2 x - 1) / (2 s^2)))^order]) / (order - 1),
// s the noise multiplier and q the sampling rate: the larger of the two directions. Integer
// orders by the binomial sum (section 3.3), others by quadrature.
double SampledGaussianRdp(double noise_multiplier, double sampling_rate, double order);

// The epsilon that phases, one after the other, have at `delta`; and the reverse.
absl::StatusOr<double> RdpEpsilon(absl::Span<const SampledGaussian> phases, double delta);
absl::StatusOr<double> RdpDelta(absl::Span<const SampledGaussian> phases, double epsilon);

// The smallest noise multiplier for `target_epsilon` at `delta`.
absl::StatusOr<double> RdpNoiseMultiplier(double target_epsilon, double delta, double sampling_rate,
                                          int64_t steps);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_RDP_ACCOUNTANT_H_
