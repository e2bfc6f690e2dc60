#ifndef PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_
#define PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "optim/core/constrained_problem.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// The augmented Lagrangian of Powell, Hestenes and Rockafellar with safeguarded multipliers (Birgin and
// Martinez 2014, "Practical Augmented Lagrangian Methods", algorithm 4.1), each sub-problem solved by
// L-BFGS-B. f and each c are scaled down so that no element of their gradients at the start is larger than
// options.max_scaled_gradient(), and each c up, at most a thousand times, so that its largest is at least 1,
// for one penalty weighs them all. Where the problem gives curvatures, variables are scaled by them, anew for
// each sub-problem. An evaluation that fails (an error, NaN, an exception) is a wall for the line search; at
// the start it ends the run as kNumericalFailure. kInfeasible: the penalty reached its maximum, and
// violations stayed. Errors: shapes, contradictory bounds.
absl::StatusOr<ConstrainedResult> MinimizeAugmentedLagrangian(const ConstrainedProblem& problem,
                                                              const at::Tensor& start,
                                                              const AugmentedLagrangianOptions& options,
                                                              IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_
