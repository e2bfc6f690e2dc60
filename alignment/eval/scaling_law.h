#ifndef PLUMB_ALIGNMENT_EVAL_SCALING_LAW_H_
#define PLUMB_ALIGNMENT_EVAL_SCALING_LAW_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/statistics/student.h"

namespace plumb {

// Rafailov et al. 2024, "Scaling Laws for Reward Model Overoptimization in Direct Alignment Algorithms"
// (arXiv 2406.02900), with the form that Gao, Schulman and Hilton 2022 (arXiv 2210.10760) found for RLHF: the
// gold reward of a policy at d = sqrt(KL(policy || reference)) is
//
//   R(d) = d (alpha - beta log d)
//
// above that of the reference, and is highest at log d = alpha / beta - 1, beyond which the policy is
// over-optimised.

// A trained policy.
struct ScalingPoint {
  double kl = 0;      // KL(policy || reference) of whole answers, nats; above 0
  double reward = 0;  // gold, less that of the reference
};

struct ScalingLaw {
  Interval alpha, beta;  // least squares; 95 % intervals by Student's t of independent errors of one size
  double residual = 0;   // standard deviation of the errors
  double r_squared = 0;  // share of the rewards' sum of squares that the law explains

  double Reward(double kl) const;
  // The KL divergence at which the reward is highest; infinity where the law never falls (beta <= 0).
  double BestKl() const;
};

// An error with fewer than three points, a kl that is not above 0, or points that all have the same kl.
absl::StatusOr<ScalingLaw> FitScalingLaw(absl::Span<const ScalingPoint> points);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_EVAL_SCALING_LAW_H_
