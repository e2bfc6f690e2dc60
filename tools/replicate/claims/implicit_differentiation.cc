// Blondel et al. 2022: derivatives of an approximate solution are closer by the implicit function theorem
// than by unrolling.

#include "optim/implicit/implicit_differentiation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/implicit/stationary.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kRows = 60, kColumns = 30, kIterations = 100;
constexpr double kRidge = 1;

// log10 of the distance to the Jacobian by the ridge penalty theta of the solution of
// min_w |X w - y|^2 / 2 + theta |w|^2 / 2, after kIterations gradient steps.
absl::StatusOr<Comparison> Run(uint64_t seed) {
  const RandomStream random(seed, "implicit differentiation");
  const at::Tensor x = random.Child("x").NormalTensor({kRows, kColumns}, at::kDouble);
  const at::Tensor y = random.Child("y").NormalTensor({kRows}, at::kDouble);
  const at::Tensor gram = x.t().mm(x), side = x.t().mv(y);
  const at::Tensor hessian = gram + kRidge * at::eye(kColumns, at::kDouble);
  const at::Tensor solution = at::linalg_solve(hessian, side);
  const at::Tensor jacobian = -at::linalg_solve(hessian, solution);

  const double step = 1 / at::linalg_eigvalsh(hessian).max().item<double>();
  at::Tensor w = at::zeros_like(side), unrolled = at::zeros_like(side);
  for (int64_t i = 0; i < kIterations; ++i) {
    unrolled = unrolled - step * (hessian.mv(unrolled) + w);  // the derivative of the next line
    w = w - step * (hessian.mv(w) - side);
  }
  const OptimalityCondition condition =
      StationaryCondition([&](const at::Tensor& at, const Parameters& theta) {
        return (x.mv(at) - y).square().sum() / 2 + theta[0].sum() * at.square().sum() / 2;
      });
  const at::Tensor one = at::ones({1}, at::kDouble);
  PLUMB_ASSIGN_OR_RETURN(const JacobianVectorProduct implicit,
                         ImplicitJvp(condition, w, {kRidge * one}, {one}));
  return Comparison{std::log10((implicit.tangent - jacobian).norm().item<double>()),
                    std::log10((unrolled - jacobian).norm().item<double>())};
}

const bool kRegistered = RegisterClaim(
    {"implicit_differentiation",
     "Blondel et al. 2022, Efficient and Modular Implicit Differentiation (arXiv 2105.15183)",
     "At an approximate solution the implicit function theorem gives a Jacobian closer to the true one than "
     "unrolling "
     "the solver does.",
     "implicit differentiation", "unrolled gradient descent",
     "log10 of the Jacobian's error, ridge regression after 100 steps", /*lower_is_better=*/true,
     /*seeds=*/10, "a strongly convex problem, as the paper's theorem 1 has it.", Run});

}  // namespace
}  // namespace plumb
