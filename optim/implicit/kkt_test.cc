#include "optim/implicit/kkt.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/core/augmented_lagrangian.h"
#include "optim/implicit/quadratic_program.h"

namespace plumb {
namespace {

// Q, c, E, d, M, h: four variables, one equality, three inequalities.
Parameters Program() {
  const at::Tensor root = Numbers({4, 4}, 0.2);
  return {at::mm(root, root.t()) + at::eye(4, at::kDouble),
          Numbers({4}, 0.9, 3),
          Numbers({1, 4}, 0.4),
          Numbers({1}, 0.1),
          Numbers({3, 4}, 0.7),
          at::tensor({0.2, 0.5, -0.3}, at::kDouble)};
}

// x of the conditions, by the augmented Lagrangian: constraints E z - d = 0 and h - M z >= 0.
at::Tensor Solve(const Parameters& theta) {
  ConstrainedProblem problem;
  problem.equalities = 1;
  problem.evaluate = [&](const at::Tensor& z) -> absl::StatusOr<ConstrainedEvaluation> {
    ConstrainedEvaluation result;
    const at::Tensor product = at::mv(theta[0], z);
    result.value = ((z * product).sum() / 2 + (theta[1] * z).sum()).item<double>();
    result.gradient = product + theta[1];
    result.constraints = JoinKkt(at::mv(theta[2], z) - theta[3], theta[5] - at::mv(theta[4], z), {});
    result.jacobian = JoinKkt(theta[2], -theta[4], {});
    return result;
  };
  AugmentedLagrangianOptions options;
  options.set_feasibility_tolerance(1e-12);
  options.set_optimality_tolerance(1e-11);
  const ConstrainedResult found =
      MinimizeAugmentedLagrangian(problem, at::zeros({4}, at::kDouble), options).value();
  EXPECT_LT(found.summary.infeasibility, 1e-10) << found.summary.FullReport();
  return JoinKkt(found.x, -found.multipliers.narrow(0, 0, 1), found.multipliers.narrow(0, 1, 3));
}

ConstrainedParametricProblem General() {
  ConstrainedParametricProblem problem;
  problem.variables = 4, problem.equalities = 1, problem.inequalities = 3;
  problem.objective = [](const at::Tensor& z, const Parameters& theta) {
    return (z * at::mv(theta[0], z)).sum() / 2 + (theta[1] * z).sum();
  };
  problem.equality = [](const at::Tensor& z, const Parameters& theta) {
    return at::mv(theta[2], z) - theta[3];
  };
  problem.inequality = [](const at::Tensor& z, const Parameters& theta) {
    return at::mv(theta[4], z) - theta[5];
  };
  return problem;
}

ImplicitOptions Gmres() {
  ImplicitOptions options;
  options.solver = ImplicitSolver::kGmres;
  options.linear.set_relative_tolerance(1e-12);
  return options;
}

TEST(QuadraticProgramTest, AgreesWithFiniteDifferences) {
  const Parameters theta = Program();
  const at::Tensor x = Solve(theta);
  const at::Tensor lambda = x.narrow(0, 5, 3);
  ASSERT_GT(lambda.max().item<double>(), 1e-3);  // an inequality is active, another is not
  ASSERT_LT(lambda.min().item<double>(), 1e-9);
  EXPECT_LT(
      LinearizedCondition::At(QuadraticProgramCondition(), x, theta)->value().abs().max().item<double>(),
      1e-8);
  const at::Tensor cotangent = JoinKkt(Numbers({4}, 0.3), Numbers({1}, 0.6), Numbers({3}, 0.8));
  const auto vjp = ImplicitVjp(QuadraticProgramCondition(), x, theta, cotangent, Gmres()).value();
  EXPECT_TRUE(vjp.summary.converged()) << vjp.summary.FullReport();
  for (size_t i = 0; i < theta.size(); ++i) {
    at::Tensor direction = Numbers(theta[i].sizes(), 0.5 + i);
    if (i == 0) direction = direction + direction.t();
    Parameters up = theta, down = theta, tangent;
    up[i] = theta[i] + 1e-4 * direction;
    down[i] = theta[i] - 1e-4 * direction;
    for (const at::Tensor& parameter : theta) tangent.push_back(at::zeros(parameter.sizes(), at::kDouble));
    tangent[i] = direction;
    const at::Tensor expected = (Solve(up) - Solve(down)) / 2e-4;
    EXPECT_NEAR((vjp.gradients[i] * direction).sum().item<double>(),
                (cotangent * expected).sum().item<double>(), 1e-5)
        << "parameter " << i;
    EXPECT_LT(
        Difference(ImplicitJvp(QuadraticProgramCondition(), x, theta, tangent, Gmres())->tangent, expected),
        1e-5)
        << "parameter " << i;
  }
}

// The general conditions, by autograd alone, are those written out.
TEST(KktTest, AgreesWithTheQuadraticProgram) {
  const Parameters theta = Program();
  const at::Tensor x = Solve(theta), cotangent = Numbers({8}, 0.3);
  // A vector beside the solution too: the conditions themselves are the same.
  for (const at::Tensor& point : {x, x + Numbers({8}, 0.1)}) {
    EXPECT_LT(Difference(KktCondition(General())(point, theta), QuadraticProgramCondition()(point, theta)),
              1e-12);
  }
  const auto general = ImplicitVjp(KktCondition(General()), x, theta, cotangent, Gmres()).value();
  const auto written = ImplicitVjp(QuadraticProgramCondition(), x, theta, cotangent, Gmres()).value();
  for (size_t i = 1; i < theta.size(); ++i) {
    EXPECT_LT(Difference(general.gradients[i], written.gradients[i]), 1e-9);
  }
  // That by Q is z'Qz's, so of its symmetric part.
  EXPECT_LT(Difference(general.gradients[0], (written.gradients[0] + written.gradients[0].t()) / 2), 1e-9);
  const auto jvp = ImplicitJvp(KktCondition(General()), x, theta, theta, Gmres()).value();
  EXPECT_LT(
      Difference(jvp.tangent, ImplicitJvp(QuadraticProgramCondition(), x, theta, theta, Gmres())->tangent),
      1e-9);
}

// min z_0 + z_1 subject to z_0^2 + z_1^2 <= r: z = -sqrt(r / 2), lambda = 1 / sqrt(2 r).
TEST(KktTest, ANonlinearConstraintHasAClosedForm) {
  ConstrainedParametricProblem problem;
  problem.variables = 2, problem.inequalities = 1;
  problem.objective = [](const at::Tensor& z, const Parameters&) { return z.sum(); };
  problem.inequality = [](const at::Tensor& z, const Parameters& theta) {
    return z.square().sum().unsqueeze(0) - theta[0];
  };
  const double r = 3;
  const at::Tensor radius = at::tensor({r}, at::kDouble);
  const at::Tensor x = at::tensor({-std::sqrt(r / 2), -std::sqrt(r / 2), 1 / std::sqrt(2 * r)}, at::kDouble);
  EXPECT_LT(KktCondition(problem)(x, {radius}).abs().max().item<double>(), 1e-14);
  const auto jvp =
      ImplicitJvp(KktCondition(problem), x, {radius}, {at::tensor({1.0}, at::kDouble)}, Gmres()).value();
  const double slope = -std::sqrt(0.5) / (2 * std::sqrt(r));
  EXPECT_LT(Difference(jvp.tangent, at::tensor({slope, slope, -0.5 / std::sqrt(2 * r) / r}, at::kDouble)),
            1e-10);
}

TEST(KktTest, SaysWhatIsWrong) {
  EXPECT_THAT(
      ImplicitVjp(KktCondition(General()), Numbers({7}, 0), Program(), Numbers({7}, 0)).status().message(),
      testing::HasSubstr("expected [4 + 1 + 3]"));
  EXPECT_THAT(ImplicitVjp(QuadraticProgramCondition(), Numbers({7}, 0), Program(), Numbers({7}, 0))
                  .status()
                  .message(),
              testing::HasSubstr("expected [4 + 1 + 3]"));
}

}  // namespace
}  // namespace plumb
