#include "optim/implicit/newton.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mv.h>
#include <gtest/gtest.h>

#include "common/kernels/gradient_testing.h"
#include "optim/implicit/stationary.h"

namespace plumb {
namespace {

// G = exp(x) + 8 x + M x - theta, with a matrix M that is not symmetric.
at::Tensor Equations(const at::Tensor& x, const Parameters& theta) {
  return at::exp(x) + 8 * x + at::mv(Numbers({4, 4}, 0.3), x) - theta[0];
}

at::Tensor Root(const at::Tensor& theta) {
  at::Tensor x = theta / 9;
  for (int step = 0; step < 500; ++step) x = x - Equations(x, {theta}) / 10;
  return x;
}

TEST(NewtonConditionTest, AgreesWithFiniteDifferencesInOneIteration) {
  const at::Tensor theta = Numbers({4}, 0.1, 5), x = Root(theta), tangent = Numbers({4}, 0.6);
  ASSERT_LT(Equations(x, {theta}).abs().max().item<double>(), 1e-13);
  const at::Tensor expected = (Root(theta + 1e-5 * tangent) - Root(theta - 1e-5 * tangent)) / 2e-5;
  for (const double step : {1.0, 0.5}) {
    for (const ImplicitSolver solver : {ImplicitSolver::kConjugateGradient, ImplicitSolver::kGmres,
                                        ImplicitSolver::kNormalConjugateGradient}) {
      ImplicitOptions options;
      options.solver = solver;
      const auto jvp = ImplicitJvp(NewtonCondition(Equations, step), x, {theta}, {tangent}, options).value();
      EXPECT_EQ(jvp.summary.iterations, 1);
      EXPECT_TRUE(jvp.summary.converged());
      EXPECT_LT(Difference(jvp.tangent, expected), 1e-8);
      const auto vjp =
          ImplicitVjp(NewtonCondition(Equations, step), x, {theta}, Numbers({4}, 0.9), options).value();
      EXPECT_EQ(vjp.summary.iterations, 1);
      EXPECT_LT(Difference((vjp.gradients[0] * tangent).sum(), (Numbers({4}, 0.9) * expected).sum()), 1e-8);
    }
  }
}

// Of a gradient it is the classical method.
TEST(NewtonConditionTest, DifferentiatesAMinimum) {
  const ParametricObjective quartic = [](const at::Tensor& x, const Parameters& theta) {
    return (x.pow(4) / 4 - theta[0] * x).sum();
  };
  const at::Tensor theta = Numbers({4}, 0.1).abs() + 0.5, x = theta.pow(1.0 / 3);
  const auto vjp = ImplicitVjp(NewtonCondition(StationaryCondition(quartic)), x, {theta}, Numbers({4}, 0.9));
  EXPECT_LT(Difference(vjp->gradients[0], Numbers({4}, 0.9) * theta.pow(-2.0 / 3) / 3), 1e-10);
}

}  // namespace
}  // namespace plumb
