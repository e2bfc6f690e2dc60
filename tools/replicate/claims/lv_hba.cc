// Yao et al. 2024: a value function that knows the constraints which couple both levels.

#include "optim/bilevel/lv_hba.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <utility>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kX = 4, kY = 5, kIterations = 10000;

// F = |x - p|^2 / 2 + |y - q|^2 / 2, f = |y - B x - e|^2 / 2, g = a'y + d'x - b = 0. The lower level has
// y = M x + m, the nearest point of the plane to B x + e, and x solves a linear system.
struct Coupled {
  explicit Coupled(const RandomStream& random)
      : p(random.Child("p").NormalTensor({kX}, at::kDouble)),
        q(random.Child("q").NormalTensor({kY}, at::kDouble)),
        e(random.Child("e").NormalTensor({kY}, at::kDouble)),
        b_matrix(random.Child("B").NormalTensor({kY, kX}, at::kDouble) / 2),
        normal(random.Child("normal").NormalTensor({kX + kY}, at::kDouble)),
        bound(random.Child("bound").Normal(0)) {
    normal = normal / normal.norm();
  }
  at::Tensor d() const { return normal.narrow(0, 0, kX); }
  at::Tensor a() const { return normal.narrow(0, kX, kY); }

  CoupledBilevelProblem Functions() const {
    CoupledBilevelProblem problem;
    problem.constraints = problem.equalities = 1;
    problem.upper = [*this](const at::Tensor& x, const at::Tensor& y) {
      return (x - p).square().sum() / 2 + (y - q).square().sum() / 2;
    };
    problem.lower = [*this](const at::Tensor& x, const at::Tensor& y) {
      return (y - b_matrix.matmul(x) - e).square().sum() / 2;
    };
    problem.constraint = [*this](const at::Tensor& x, const at::Tensor& y) {
      return ((a() * y).sum() + (d() * x).sum() - bound).unsqueeze(0);
    };
    problem.project = [*this](const at::Tensor& x,
                              const at::Tensor& y) -> absl::StatusOr<std::pair<at::Tensor, at::Tensor>> {
      const at::Tensor both = at::cat({x, y});
      const at::Tensor nearest = both - ((normal * both).sum() - bound) * normal;
      return std::make_pair(nearest.narrow(0, 0, kX), nearest.narrow(0, kX, kY));
    };
    return problem;
  }
  at::Tensor Solution() const {
    const at::Tensor along = at::outer(a(), a()) / a().square().sum();
    const at::Tensor within = at::eye(kY, at::kDouble) - along;
    const at::Tensor m_matrix = within.matmul(b_matrix) - at::outer(a(), d()) / a().square().sum();
    const at::Tensor m = within.matmul(e) + a() * bound / a().square().sum();
    return at::linalg_solve(at::eye(kX, at::kDouble) + m_matrix.t().matmul(m_matrix),
                            p + m_matrix.t().matmul(q - m));
  }

  at::Tensor p, q, e, b_matrix, normal;
  double bound;
};

absl::StatusOr<double> LogDistance(const Coupled& coupled, double multiplier_bound) {
  LvHbaOptions options;
  options.step_xy = 0.05;
  options.step_z = 0.5;
  options.step_inner = 0.1;
  options.gamma_1 = options.gamma_2 = 1;
  options.multiplier_bound = multiplier_bound;
  options.stop.set_max_iterations(kIterations);
  PLUMB_ASSIGN_OR_RETURN(const BilevelResult result,
                         MinimizeLvHba(coupled.Functions(), at::zeros({kX}, at::kDouble),
                                       at::zeros({kY}, at::kDouble), options));
  return std::log10((result.x - coupled.Solution()).norm().item<double>());
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const Coupled coupled(RandomStream(seed, "lv_hba"));
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, LogDistance(coupled, 20));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, LogDistance(coupled, 1e-12));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"lv_hba",
     "Yao, Yu, Zeng and Zhang 2024, Constrained Bi-Level Optimization: Proximal Lagrangian Value function "
     "Approach and Hessian-free Algorithm (arXiv 2401.16164)",
     "With the multipliers of the lower level's constraints in its value function, the method comes to the "
     "solution of a problem whose constraint couples the levels; without them it does not.",
     "LV-HBA", "the same with multipliers of 0",
     "log10 of the distance to the solution after 10000 iterations",
     /*lower_is_better=*/true, /*seeds=*/10,
     "quadratic levels of 4 and 5 variables with one equality; not compared with the paper's rivals, whose "
     "time goes into Hessians.",
     Run});

}  // namespace
}  // namespace plumb
