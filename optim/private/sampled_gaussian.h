#ifndef PLUMB_OPTIM_PRIVATE_SAMPLED_GAUSSIAN_H_
#define PLUMB_OPTIM_PRIVATE_SAMPLED_GAUSSIAN_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace plumb {

// What DP-SGD does `steps` times: each example joins with probability `sampling_rate` by itself (Poisson
// sampling), and noise of standard deviation noise_multiplier * sensitivity is added to the sum. Neighbours
// differ in one example that is there or not.
struct SampledGaussian {
  double noise_multiplier = 1;
  double sampling_rate = 1;
  int64_t steps = 1;
};

// An error unless every noise multiplier is above 0, every rate within [0, 1] and no count of steps negative.
absl::Status CheckPhases(absl::Span<const SampledGaussian> phases);
absl::Status CheckDelta(double delta);  // within (0, 1)

// The smallest noise multiplier, to a relative 1e-6 and never below it, whose `epsilon_of` is at most
// `target_epsilon`; `epsilon_of` falls. The search starts at `start`.
absl::StatusOr<double> FindNoiseMultiplier(double target_epsilon, double start,
                                           absl::FunctionRef<absl::StatusOr<double>(double)> epsilon_of);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_SAMPLED_GAUSSIAN_H_
