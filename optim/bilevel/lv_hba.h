#ifndef PLUMB_OPTIM_BILEVEL_LV_HBA_H_
#define PLUMB_OPTIM_BILEVEL_LV_HBA_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "optim/bilevel/bilevel_problem.h"

namespace plumb {

// min F(x, y) subject to y in argmin over y in Y of f(x, y) with g(x, y) <= 0, where constraints couple both
// levels; f and g convex in y.
struct CoupledBilevelProblem {
  TwoLevelFunction upper;       // F
  TwoLevelFunction lower;       // f
  TwoLevelFunction constraint;  // g: -> [M], its first `equalities` elements = 0 instead
  int64_t constraints = 0, equalities = 0;
  std::function<at::Tensor(const at::Tensor& y)> project_y;  // onto Y alone; null: all of space
  // The nearest point of {(x, y) in X x Y: g holds}. For affine g: PolyhedronProjection.
  std::function<absl::StatusOr<std::pair<at::Tensor, at::Tensor>>(const at::Tensor& x, const at::Tensor& y)>
      project;
};

// LV-HBA: Yao, Yu, Zeng and Zhang 2024, "Constrained Bi-Level Optimization: Proximal Lagrangian Value
// function Approach and Hessian-free Algorithm" (arXiv 2401.16164). With the proximal Lagrangian value
// function
//
//   v(x, y, z) = min over theta in Y, max over lambda in Z of
//     f(x, theta) + lambda'g(x, theta) + |theta - y|^2 / (2 gamma_1) - |lambda - z|^2 / (2 gamma_2)
//
// the problem is min F over g(x, y) <= 0, z in Z with f(x, y) - v(x, y, z) <= 0. Each iteration makes one
// projected step of (theta, lambda) on v's saddle problem, one of (x, y) on F / c_k + f - v over the joint
// set, one of z on -v, with c_k = penalty (k + 1)^penalty_power: first derivatives alone, one loop. Z is [0,
// multiplier_bound]^M, for equalities [-multiplier_bound, multiplier_bound].
//
// Not verified against the paper: that (x, y) step at the theta and lambda just found, as here.
struct LvHbaOptions {
  double step_xy = 0.01;     // alpha
  double step_z = 0.02;      // beta
  double step_inner = 0.01;  // eta, of theta and lambda
  double gamma_1 = 10, gamma_2 = 10;
  double penalty = 1, penalty_power = 0.3;
  double multiplier_bound = 10;  // r: above the multipliers of the lower level
  StopOptions stop;              // 10000 iterations if max_iterations is left out
};

// `infeasibility` of the history is the gap f(x, y) - f(x, theta) - lambda'g(x, theta), `optimality` the
// largest element of the step of (x, y), over alpha. It ends by options.stop, as c_k never ends to rise.
// Errors: options out of range, g's shape, a projection's.
absl::StatusOr<BilevelResult> MinimizeLvHba(const CoupledBilevelProblem& problem, const at::Tensor& x,
                                            const at::Tensor& y, const LvHbaOptions& options,
                                            IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BILEVEL_LV_HBA_H_
