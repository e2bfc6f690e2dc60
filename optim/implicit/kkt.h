#ifndef PLUMB_OPTIM_IMPLICIT_KKT_H_
#define PLUMB_OPTIM_IMPLICIT_KKT_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "optim/implicit/stationary.h"

namespace plumb {

// min f(z, theta) subject to G(z, theta) <= 0 and H(z, theta) = 0.
struct ConstrainedParametricProblem {
  using Constraints = std::function<at::Tensor(const at::Tensor& z, const Parameters& theta)>;
  int64_t variables = 0;     // D
  int64_t inequalities = 0;  // M
  int64_t equalities = 0;    // P
  ParametricObjective objective;
  Constraints inequality;  // -> [M]; null where M = 0
  Constraints equality;    // -> [P]; null where P = 0
};

// x = (z, nu, lambda), [D + P + M], and
//   F = (grad f + H' nu + G' lambda,  H,  lambda * G)
// (Blondel et al. 2022, table 1): stationarity, feasibility, complementary slackness. Differentiable where
// slackness is strict. lambda is that of a problem as above, not negative; MinimizeAugmentedLagrangian has
// constraints >= 0 and the multipliers of f - l'c, so there lambda = l with G = -c, and nu = -l with H = c.
OptimalityCondition KktCondition(ConstrainedParametricProblem problem);

// The parts of x joined; undefined ones are empty.
at::Tensor JoinKkt(const at::Tensor& z, const at::Tensor& nu, const at::Tensor& lambda);

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_KKT_H_
