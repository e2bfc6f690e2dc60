#include "optim/implicit/proximal_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

const at::Tensor& Inputs() {
  static const auto& inputs = *new at::Tensor(Numbers({15, 6}, 0.1));
  return inputs;
}
const at::Tensor& Targets() {
  static const auto& targets = *new at::Tensor(at::mv(Inputs(), Numbers({6}, 0.4)) + Numbers({15}, 0.3, 0.1));
  return targets;
}
at::Tensor Squares(const at::Tensor& w, const Parameters&) {
  return (at::mv(Inputs(), w) - Targets()).square().sum() / 2;
}

at::Tensor Solve(const FixedPointMap& map, const Parameters& theta) {
  const at::NoGradGuard no_grad;
  at::Tensor w = at::zeros({6}, at::kDouble);
  for (int step = 0; step < 20000; ++step) w = map(w, theta);
  return w;
}

at::Tensor Number(double value) { return at::zeros({}, at::kDouble) + value; }

ImplicitOptions Gmres() {
  ImplicitOptions options;
  options.solver = ImplicitSolver::kGmres;
  options.linear.set_relative_tolerance(1e-12);
  return options;
}

// On the support S of the lasso's solution, dw_S/dl = -(X_S'X_S)^-1 sign(w_S); zero elsewhere.
TEST(ProximalGradientTest, TheLassoHasAClosedForm) {
  const FixedPointMap map = ProximalGradientMap(Squares, SoftThreshold(0), 0.05);
  const Parameters theta = {Number(1.5)};
  const at::Tensor w = Solve(map, theta);
  const at::Tensor support = w.nonzero().select(1, 0);
  ASSERT_GT(support.numel(), 1);
  ASSERT_LT(support.numel(), 6);
  const at::Tensor columns = Inputs().index_select(1, support);
  at::Tensor expected = at::zeros({6}, at::kDouble);
  expected.index_copy_(0, support,
                       -at::linalg_solve(at::mm(columns.t(), columns), at::sign(w.index_select(0, support))));
  // The condition may use another step than the solver did.
  for (const double step : {0.05, 1.0}) {
    const auto condition = ProximalGradientCondition(Squares, SoftThreshold(0), step);
    EXPECT_LT(LinearizedCondition::At(condition, w, theta)->value().abs().max().item<double>(), 1e-12);
    const auto jvp = ImplicitJvp(condition, w, theta, {Number(1)}, Gmres()).value();
    EXPECT_TRUE(jvp.summary.converged()) << jvp.summary.FullReport();
    EXPECT_LT(Difference(jvp.tangent, expected), 1e-10);
    const auto vjp = ImplicitVjp(condition, w, theta, Numbers({6}, 0.2), Gmres()).value();
    EXPECT_LT(Difference(vjp.gradients[0], (Numbers({6}, 0.2) * expected).sum()), 1e-10);
  }
}

TEST(ProximalGradientTest, TheGroupLassoAgreesWithFiniteDifferences) {
  const FixedPointMap map = ProximalGradientMap(Squares, GroupSoftThreshold(0, 2), 0.05);
  const at::Tensor w = Solve(map, {Number(2)});
  const at::Tensor lengths = w.view({3, 2}).norm(2, 1);
  ASSERT_EQ(lengths.min().item<double>(), 0);  // a group is out, another is in
  ASSERT_GT(lengths.max().item<double>(), 0);
  const at::Tensor expected = (Solve(map, {Number(2 + 1e-5)}) - Solve(map, {Number(2 - 1e-5)})) / 2e-5;
  const auto condition = ProximalGradientCondition(Squares, GroupSoftThreshold(0, 2), 0.3);
  EXPECT_LT(Difference(ImplicitJvp(condition, w, {Number(2)}, {Number(1)}, Gmres())->tangent, expected),
            1e-7);
  const auto vjp = ImplicitVjp(condition, w, {Number(2)}, Numbers({6}, 0.2), Gmres()).value();
  EXPECT_LT(Difference(vjp.gradients[0], (Numbers({6}, 0.2) * expected).sum()), 1e-7);
}

// argmin_z |z - y|^2 / 2 + l |z|_1, and in groups: no nearby point is better.
TEST(ProximalOperatorTest, IsAMinimum) {
  const at::Tensor y = Numbers({6}, 0.3, 2), l = Number(0.8);
  const auto lasso = [&](const at::Tensor& z) {
    return ((z - y).square().sum() / 2 + 0.5 * l * z.abs().sum()).item<double>();
  };
  const auto groups = [&](const at::Tensor& z) {
    return ((z - y).square().sum() / 2 + 0.5 * l * z.view({3, 2}).norm(2, 1).sum()).item<double>();
  };
  const at::Tensor soft = SoftThreshold(0)(y, {l}, 0.5), group = GroupSoftThreshold(0, 2)(y, {l}, 0.5);
  for (int i = 0; i < 50; ++i) {
    const at::Tensor off = Numbers({6}, i, 0.02 * i);
    EXPECT_GE(lasso(soft + off), lasso(soft));
    EXPECT_GE(groups(group + off), groups(group));
  }
}

}  // namespace
}  // namespace plumb
