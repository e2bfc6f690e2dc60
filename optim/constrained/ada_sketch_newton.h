#ifndef PLUMB_OPTIM_CONSTRAINED_ADA_SKETCH_NEWTON_H_
#define PLUMB_OPTIM_CONSTRAINED_ADA_SKETCH_NEWTON_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "optim/core/constrained_problem.h"

namespace plumb {

// AdaSketch-Newton: Hong, Na, Mahoney and Kolar 2023, "Constrained Optimization via Exact Augmented
// Lagrangian and Randomized Iterative Sketching" (arXiv 2305.18379), for min f(x) subject to c(x) = 0. With L
// = f + l'c, G = c' and H = L'' each iteration
//
//   1. solves [B G'; G 0] (dx, dl) = -(L_x, c) by random sketches (sketch_and_project.h) until the residual
//   is
//      at most theta delta |(L_x, c)| / (|K| Psi), K this matrix; B is H, or H + (modification + |H|) I where
//      H has a direction of the constraints' null space with curvature below 1e-6;
//   2. asks whether (dx, dl) descends the exact augmented Lagrangian
//        f + l'c + eta_1 / 2 |c|^2 + eta_2 / 2 |L_x|^2
//      by at least eta_2 / 2 |(L_x, c)|^2; if not: eta_1 *= nu^2, eta_2 /= nu, delta /= nu^4, and goes on
//      with 1 from where it was;
//   3. halves the step until that function falls by beta times what its slope promises.
//
// delta is kept below (1/2 - beta) eta_2 / ((1 + eta_1 + eta_2) Upsilon^2 Psi^2), Psi = 20 max(|B|^2, 1) /
// (min(xi, 1) min(modification, 1)) for the least eigenvalue xi of G G' and Upsilon = max(|G|, |H|, 1), but
// above least_delta; norms are Frobenius'. These, and the defaults, are those of the authors' program, which
// has f'' for H in the slope of 2, where the derivative asks for H, as here.
//
// Not verified: the paper's own text of its conditions, beyond the abstract and that program.
struct AdaSketchNewtonOptions {
  enum class Solver { kKaczmarz, kGaussian, kDirect };  // kDirect: LU, to compare with
  Solver solver = Solver::kKaczmarz;
  double tolerance = 1e-6;        // converged: |(L_x, c)| is at most this
  double eta_1 = 1, eta_2 = 0.1;  // the first penalties
  double delta = 0.1;             // the first accuracy
  double nu = 1.5;
  double beta = 0.1;          // of the line search, within (0, 1/2)
  double modification = 0.1;  // xi_B
  // theta is 1, or with sharpen min(1, |(L_x, c)|), with which convergence becomes superlinear.
  bool sharpen = false;
  double least_delta = 1e-6, most_eta_1 = 1e8, least_eta_2 = 1e-8;  // there 2 takes what it is given
  int64_t most_sketches = 100000;                                   // of 1, each time
  at::Tensor multipliers;  // [M], where to start, of f - l'c as in ConstrainedResult; undefined: 0
  uint64_t seed = 1;
  StopOptions stop;  // 1000 iterations if max_iterations is left out
};

struct AdaSketchNewtonResult : ConstrainedResult {
  // summary.optimality: |(L_x, c)|, unscaled. penalty: eta_1.
  double eta_2 = 0;
  int64_t sketches = 0;     // steps of the solver
  double solver_flops = 0;  // N^3 2 / 3 of each direct solve
};

// The Hessian [D, D] of f + weights'c at x.
using LagrangianHessian =
    std::function<absl::StatusOr<at::Tensor>(const at::Tensor& x, const at::Tensor& weights)>;

// `hessian` null: by central differences, 2 D evaluations each. The problem's constraints must all be
// equalities, without bounds. An evaluation that fails shortens the step; at the start, or for a Hessian, it
// ends the run as kNumericalFailure, as constraints do whose gradients depend on each other. Errors: shapes,
// options out of range, bounds.
absl::StatusOr<AdaSketchNewtonResult> MinimizeAdaSketchNewton(const ConstrainedProblem& problem,
                                                              const LagrangianHessian& hessian,
                                                              const at::Tensor& start,
                                                              const AdaSketchNewtonOptions& options,
                                                              IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CONSTRAINED_ADA_SKETCH_NEWTON_H_
