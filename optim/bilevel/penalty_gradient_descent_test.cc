#include "optim/bilevel/penalty_gradient_descent.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Penalty = PenaltyOptions::Penalty;

constexpr double kRidge = 0.3;

// f = |y - t|^2 / 2 + ridge |x|^2 / 2, g = |y - A x - b|^2 / 2, so that y* = A x + b and
//   x* = (A'A + ridge I)^-1 A'(t - b).
const at::Tensor& A() {
  static const auto& tensor = *new at::Tensor(Numbers({4, 3}, 0.1));
  return tensor;
}
const at::Tensor& B() {
  static const auto& tensor = *new at::Tensor(Numbers({4}, 0.6));
  return tensor;
}
const at::Tensor& T() {
  static const auto& tensor = *new at::Tensor(Numbers({4}, 0.9, 2));
  return tensor;
}

BilevelProblem Quadratic() {
  BilevelProblem problem;
  problem.upper = [](const at::Tensor& x, const at::Tensor& y) {
    return (y - T()).square().sum() / 2 + kRidge * x.square().sum() / 2;
  };
  problem.lower = [](const at::Tensor& x, const at::Tensor& y) {
    return (y - at::mv(A(), x) - B()).square().sum() / 2;
  };
  return problem;
}

// Of min f + gamma p, here the same for both penalties: with y eliminated, the ridge is (1 + gamma) / gamma
// times as strong. Infinite gamma: of the bilevel problem itself.
at::Tensor Solution(double gamma) {
  const double ridge = std::isinf(gamma) ? kRidge : kRidge * (1 + gamma) / gamma;
  return at::linalg_solve(at::mm(A().t(), A()) + ridge * at::eye(3, at::kDouble), at::mv(A().t(), T() - B()));
}

PenaltyOptions Options(Penalty penalty, double gamma) {
  PenaltyOptions options;
  options.penalty = penalty;
  options.gamma = gamma;
  options.step_x = options.step_y = 0.2;
  options.step_lower = 0.5;
  options.tolerance = 1e-9;
  options.stop.set_max_iterations(200000);
  return options;
}

TEST(PenaltyGradientDescentTest, AQuadraticProblemHasAClosedForm) {
  const at::Tensor zero_x = at::zeros({3}, at::kDouble), zero_y = at::zeros({4}, at::kDouble);
  for (const Penalty penalty : {Penalty::kValueFunction, Penalty::kLowerGradient}) {
    double last = 1e9;
    for (const double gamma : {2.0, 10.0, 50.0}) {
      const BilevelResult result =
          MinimizeByPenalty(Quadratic(), zero_x, zero_y, Options(penalty, gamma)).value();
      EXPECT_TRUE(result.summary.converged()) << result.summary.FullReport();
      EXPECT_LT(Difference(result.x, Solution(gamma)), 1e-6);
      // The solution tends to the bilevel one's as 1 / gamma, and the violation too.
      const double error = Difference(result.x, Solution(INFINITY));
      EXPECT_LT(error, last / 3);
      last = error;
      EXPECT_EQ(result.summary.calls.hessian_vectors > 0, penalty == Penalty::kLowerGradient);
    }
    EXPECT_LT(last, 2e-2);
  }
}

TEST(PenaltyGradientDescentTest, StepsOfYAloneSaveStepsOfX) {
  PenaltyOptions options = Options(Penalty::kValueFunction, 50);
  const at::Tensor zero_x = at::zeros({3}, at::kDouble), zero_y = at::zeros({4}, at::kDouble);
  const BilevelResult joint = MinimizeByPenalty(Quadratic(), zero_x, zero_y, options).value();
  options.joint_steps = 5;
  options.lower_steps = 5;
  const BilevelResult more = MinimizeByPenalty(Quadratic(), zero_x, zero_y, options).value();
  EXPECT_TRUE(more.summary.converged()) << more.summary.FullReport();
  EXPECT_LT(Difference(more.x, Solution(50)), 1e-6);
  EXPECT_LE(more.summary.iterations, joint.summary.iterations);
}

TEST(PenaltyGradientDescentTest, GammaRises) {
  PenaltyOptions options = Options(Penalty::kValueFunction, 20);
  options.gamma_iterations = 500;
  const BilevelResult result =
      MinimizeByPenalty(Quadratic(), Numbers({3}, 0.2), Numbers({4}, 0.2), options).value();
  EXPECT_TRUE(result.summary.converged());
  EXPECT_GE(result.summary.iterations, 500);
  EXPECT_LT(Difference(result.x, Solution(20)), 1e-6);
}

// g = (y + x)^2 + x sin^2(y + x) is not convex in y, but satisfies a Polyak-Lojasiewicz inequality on
// X = [0, 3]; y* = -x. From many starts x ends where the hyper-objective f(x, -x) is stationary over X.
TEST(PenaltyGradientDescentTest, ALowerLevelThatIsNotConvex) {
  const TwoLevelFunction upper = [](const at::Tensor& x, const at::Tensor& y) {
    return at::cos(4 * y + 2) / (1 + at::exp(2 - 4 * x)) + ((4 * x - 2).square() + 1).log() / 2;
  };
  BilevelProblem problem;
  problem.upper = upper;
  problem.lower = [](const at::Tensor& x, const at::Tensor& y) {
    return (y + x).square() + x * (y + x).sin().square();
  };
  problem.project_x = [](const at::Tensor& x) { return x.clamp(0, 3); };
  const auto hyper = [&](double at) {
    const at::Tensor x = at::tensor({at}, at::kDouble);
    return upper(x, -x).item<double>();
  };
  for (const int start : {0, 3, 7, 11}) {
    PenaltyOptions options = Options(Penalty::kValueFunction, 200);
    options.tolerance = 1e-8;
    options.step_x = options.step_y = options.step_lower = 0.05;
    options.lower_steps = 3;
    options.stop.set_max_iterations(10000);
    const at::Tensor x = at::tensor({0.25 * start}, at::kDouble),
                     y = at::tensor({1.5 - 0.3 * start}, at::kDouble);
    const BilevelResult result = MinimizeByPenalty(problem, x, y, options).value();
    const double found = result.x.item<double>();
    EXPECT_NEAR(result.y.item<double>(), -found, 0.05) << result.summary.FullReport();
    const double slope = (hyper(found + 1e-5) - hyper(found - 1e-5)) / 2e-5;
    EXPECT_LT(std::abs(std::min(3.0, std::max(0.0, found - slope)) - found), 0.1)
        << start << ": x " << found << ", slope " << slope;
  }
}

TEST(PenaltyGradientDescentTest, SaysWhatIsWrong) {
  const at::Tensor x = Numbers({3}, 0.2), y = Numbers({4}, 0.2);
  PenaltyOptions options;
  options.gamma = 0;
  EXPECT_THAT(MinimizeByPenalty(Quadratic(), x, y, options).status().message(), HasSubstr("gamma 0"));
  options = {};
  options.lower_steps = 0;
  EXPECT_THAT(MinimizeByPenalty(Quadratic(), x, y, options).status().message(), HasSubstr("lower_steps 0"));
  options = Options(Penalty::kValueFunction, 10);
  options.step_lower = 1e9;
  const BilevelResult failed = MinimizeByPenalty(Quadratic(), x, y, options).value();
  EXPECT_EQ(failed.summary.termination, Termination::kNumericalFailure);
  EXPECT_THAT(failed.summary.reason, HasSubstr("lower the steps"));
  EXPECT_TRUE(std::isfinite(failed.x.sum().item<double>()));
}

}  // namespace
}  // namespace plumb
