#include "optim/implicit/conic_program.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

ImplicitOptions Gmres() {
  ImplicitOptions options;
  options.solver = ImplicitSolver::kGmres;
  options.linear.set_relative_tolerance(1e-12);
  return options;
}

// min -z_0 - 2 z_1 subject to z_0 + z_1 <= 4, z_1 <= 3, z >= 0: z = (1, 3) as long as the same two
// constraints bind, so that z = A^-1 b and y = -A^-T c of those alone.
TEST(ConicProgramTest, ALinearProgramHasAClosedForm) {
  const ConeSizes cones{0, 4, {}};
  const at::Tensor e = Tensor({1, 1, 0, 1, -1, 0, 0, -1}).view({4, 2}), c = Tensor({-1, -2}),
                   d = Tensor({4, 3, 0, 0});
  const at::Tensor active = e.narrow(0, 0, 2);
  const at::Tensor z = at::linalg_solve(active, d.narrow(0, 0, 2)), y = at::linalg_solve(active.t(), -c);
  EXPECT_GT(y.min().item<double>(), 0);
  const at::Tensor slack = d - at::mv(e, z);
  const at::Tensor x = at::cat({z, at::cat({y, at::zeros({2}, at::kDouble)}) - slack});
  const Parameters theta = {c, e, d};
  const OptimalityCondition condition = ConicProgramCondition(cones);
  EXPECT_LT(condition(x, theta).abs().max().item<double>(), 1e-14);
  const Parameters tangent = {Numbers({2}, 0.1), at::zeros({4, 2}, at::kDouble), Numbers({4}, 0.4)};
  const auto jvp = ImplicitJvp(condition, x, theta, tangent, Gmres()).value();
  EXPECT_TRUE(jvp.summary.converged()) << jvp.summary.FullReport();
  EXPECT_LT(Difference(jvp.tangent.narrow(0, 0, 2), at::linalg_solve(active, tangent[2].narrow(0, 0, 2))),
            1e-10);
  EXPECT_LT(Difference(jvp.tangent.narrow(0, 2, 2), at::linalg_solve(active.t(), -tangent[0])), 1e-10);
  const auto vjp = ImplicitVjp(condition, x, theta, Numbers({6}, 0.7), Gmres()).value();
  EXPECT_LT(Difference((vjp.gradients[0] * tangent[0]).sum() + (vjp.gradients[2] * tangent[2]).sum(),
                       (Numbers({6}, 0.7) * jvp.tangent).sum()),
            1e-10);
}

// min c'z subject to |z| <= r, and w = 1 by an equality: z = -r c / |c|. Rows: w = 1; (r w', z) in the cone.
// Variables (z_0, z_1, z_2, t), t = radius fixed by the zero cone.
TEST(ConicProgramTest, ASecondOrderConeProgramHasAClosedForm) {
  const ConeSizes cones{1, 0, {4}};
  const at::Tensor cost = Tensor({0.5, -1, 2});
  const double r = 1.7, length = cost.norm().item<double>();
  const at::Tensor c = at::cat({cost, Tensor({0})});
  at::Tensor e = at::zeros({5, 4}, at::kDouble);
  e[0][3] = 1;   // t + 0 = r
  e[1][3] = -1;  // s_0 = t
  for (int i = 0; i < 3; ++i) e[2 + i][i] = -1;
  const at::Tensor d = Tensor({r, 0, 0, 0, 0});
  // y of the cone: |cost| (1, cost / |cost|), which makes E'y + c = 0; y of the equality: |cost|.
  const at::Tensor z = at::cat({-r * cost / length, Tensor({r})});
  const at::Tensor y = at::cat({Tensor({length, length}), cost});
  const at::Tensor s = d - at::mv(e, z);
  const at::Tensor x = at::cat({z, y - s});
  const OptimalityCondition condition = ConicProgramCondition(cones);
  EXPECT_LT(condition(x, {c, e, d}).abs().max().item<double>(), 1e-13);

  const Parameters tangent = {at::cat({Numbers({3}, 0.1), Tensor({0})}), at::zeros({5, 4}, at::kDouble),
                              Tensor({0.3, 0, 0, 0, 0})};
  const auto solution = [&](double step) {
    const at::Tensor moved = cost + step * tangent[0].narrow(0, 0, 3);
    return -(r + 0.3 * step) * moved / moved.norm();
  };
  const auto jvp = ImplicitJvp(condition, x, {c, e, d}, tangent, Gmres()).value();
  EXPECT_TRUE(jvp.summary.converged()) << jvp.summary.FullReport();
  EXPECT_LT(Difference(jvp.tangent.narrow(0, 0, 3), (solution(1e-5) - solution(-1e-5)) / 2e-5), 1e-9);
  const auto vjp = ImplicitVjp(condition, x, {c, e, d}, Numbers({9}, 0.7), Gmres()).value();
  EXPECT_LT(Difference((vjp.gradients[0] * tangent[0]).sum() + (vjp.gradients[2] * tangent[2]).sum(),
                       (Numbers({9}, 0.7) * jvp.tangent).sum()),
            1e-9);
}

}  // namespace
}  // namespace plumb
