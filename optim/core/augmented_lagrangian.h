#ifndef PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_
#define PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// Everything at one point. f64, on the CPU.
struct ConstrainedEvaluation {
  double value = 0;
  at::Tensor gradient;     // [D]
  at::Tensor constraints;  // [M]: the equalities c(x) = 0 first, then the inequalities c(x) >= 0
  at::Tensor jacobian;     // [M, D]
};

// min f(x) subject to c(x) = 0, c(x) >= 0 and lower <= x <= upper.
struct ConstrainedProblem {
  std::function<absl::StatusOr<ConstrainedEvaluation>(const at::Tensor& x)> evaluate;  // x: [D]
  int64_t equalities = 0;   // how many of the M constraints are equalities
  at::Tensor lower, upper;  // [D]; undefined: no bounds
};

struct ConstrainedResult {
  at::Tensor x;            // [D], within the bounds
  at::Tensor constraints;  // [M], at x
  at::Tensor multipliers;  // [M], l of the Lagrangian f - l'c; not negative for inequalities
  double penalty = 0;      // the last one, of the scaled problem
  // optimality: largest element of the projected gradient of the Lagrangian, of the scaled problem;
  // infeasibility: the largest violation, unscaled.
  Summary summary;
};

// The augmented Lagrangian of Powell, Hestenes and Rockafellar with safeguarded multipliers (Birgin and
// Martinez 2014, "Practical Augmented Lagrangian Methods", algorithm 4.1), each sub-problem solved by
// L-BFGS-B. f and each c are scaled down so that no gradient at the start is longer than
// options.max_scaled_gradient(). An evaluation that fails (an error, NaN, an exception) is a wall for the
// line search; at the start it ends the run as kNumericalFailure. kInfeasible: the penalty reached its
// maximum, and violations stayed. Errors: shapes, contradictory bounds.
absl::StatusOr<ConstrainedResult> MinimizeAugmentedLagrangian(const ConstrainedProblem& problem,
                                                              const at::Tensor& start,
                                                              const AugmentedLagrangianOptions& options,
                                                              IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_AUGMENTED_LAGRANGIAN_H_
