#ifndef PLUMB_OPTIM_BILEVEL_PENALTY_GRADIENT_DESCENT_H_
#define PLUMB_OPTIM_BILEVEL_PENALTY_GRADIENT_DESCENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "optim/bilevel/bilevel_problem.h"

namespace plumb {

// Penalty-based bilevel gradient descent, PBGD: Shen and Chen 2023, "On Penalty-based Bilevel Gradient
// Descent Method" (arXiv 2302.05185). The lower level becomes a penalty, and (x, y) descend
//
//   f(x, y) + gamma p(x, y),  projected onto X and Y,
//
//   kValueFunction (V-PBGD): p = g(x, y) - min_w g(x, w), from first derivatives alone: w takes
//     `lower_steps` gradient steps on g(x, .) each iteration, and d p/dx = dg/dx(x, y) - dg/dx(x, w);
//   kLowerGradient (G-PBGD): p = |dg/dy|^2 / 2, one Hessian-vector product an iteration; Y is all of space.
//
// For g that satisfies a Polyak-Lojasiewicz inequality in y, solutions are within O(1 / gamma) of those of
// the bilevel problem with a violation of that order: choose gamma by the accuracy wanted.
//
// With `joint_steps` > 0, y takes so many steps more on its own before each of (x, y): the deterministic
// algorithm of Kwon, Kwon, Wright and Nowak 2024, "On Penalty Methods for Nonconvex Bilevel Optimization and
// First-Order Stochastic Approximation" (arXiv 2309.01753) for sigma = 1 / gamma, but that its last step of y
// is made together with x. Its proximal terms and stochastic form are not here.
struct PenaltyOptions {
  enum class Penalty { kValueFunction, kLowerGradient };
  Penalty penalty = Penalty::kValueFunction;
  // Rises in a line from initial_gamma over the first gamma_iterations.
  double gamma = 10;
  double initial_gamma = 0;
  int64_t gamma_iterations = 0;
  // Of f + gamma p times min(1 / gamma, 1), so that one size suits all gamma.
  double step_x = 0.1, step_y = 0.1;
  double step_lower = 0.1;
  int64_t lower_steps = 1;
  int64_t joint_steps = 0;
  // Converged at the last gamma: no element of (x, y) and of w moved by more than this times its step.
  double tolerance = 1e-6;
  StopOptions stop;  // 10000 iterations if max_iterations is left out
};

// `optimality` of the history is what `tolerance` is about, `infeasibility` the penalty p (by w as it is, for
// the value function). A value that is not finite ends the run as kNumericalFailure with the last point that
// was. Error: options out of range.
absl::StatusOr<BilevelResult> MinimizeByPenalty(const BilevelProblem& problem, const at::Tensor& x,
                                                const at::Tensor& y, const PenaltyOptions& options,
                                                IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_PENALTY_GRADIENT_DESCENT_H_
