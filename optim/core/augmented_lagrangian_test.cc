#include "optim/core/augmented_lagrangian.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include "common/testing/testing.h"
#include "optim/core/hock_schittkowski.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

std::vector<double> Vector(const at::Tensor& tensor) {
  const double* data = tensor.const_data_ptr<double>();
  return std::vector<double>(data, data + tensor.numel());
}

ConstrainedProblem Problem(const HockSchittkowskiProblem& problem) {
  ConstrainedProblem result;
  result.equalities = problem.equalities;
  result.lower = Tensor(problem.lower);
  result.upper = Tensor(problem.upper);
  result.evaluate = [&problem](const at::Tensor& x) {
    const HockSchittkowskiPoint point = problem.evaluate(Vector(x));
    const int64_t constraints = point.constraints.size();
    return ConstrainedEvaluation{point.value, Tensor(point.gradient), Tensor(point.constraints),
                                 Tensor(point.jacobian).view({constraints, x.numel()})};
  };
  return result;
}

TEST(HockSchittkowskiTest, GradientsAreFiniteDifferences) {
  ASSERT_EQ(HockSchittkowskiProblems().size(), 90);
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    SCOPED_TRACE(problem.number);
    std::vector<double> x = problem.start;
    const size_t size = x.size();
    // Off the start, where some derivatives are zero, but within the bounds.
    for (size_t i = 0; i < size; ++i)
      x[i] = std::clamp(x[i] + 0.01 * (i + 1), problem.lower[i], problem.upper[i]);
    const HockSchittkowskiPoint point = problem.evaluate(x);
    ASSERT_EQ(point.gradient.size(), size);
    for (size_t i = 0; i < size; ++i) {
      const double h = 1e-6 * std::max(1e-2, std::abs(x[i])), before = x[i];
      x[i] = before + h;
      const HockSchittkowskiPoint above = problem.evaluate(x);
      x[i] = before - h;
      const HockSchittkowskiPoint below = problem.evaluate(x);
      x[i] = before;
      const auto expect_near = [&](double slope, double up, double down, double value) {
        EXPECT_NEAR(slope, (up - down) / (2 * h), 1e-5 * (1 + std::abs(slope)) + 1e-14 * std::abs(value) / h);
      };
      expect_near(point.gradient[i], above.value, below.value, point.value);
      for (size_t c = 0; c < point.constraints.size(); ++c) {
        expect_near(point.jacobian[c * size + i], above.constraints[c], below.constraints[c],
                    point.constraints[c]);
      }
    }
  }
}

TEST(AugmentedLagrangianTest, SolvesHockAndSchittkowskisProblems) {
  // Not reached: 2, 20, 33, 37, 55 and 60, where another minimum is nearer to the start; 25, which is flat at
  // its start.
  int solved = 0, converged = 0;
  int64_t evaluations = 0;
  std::printf("%4s %3s %3s %17s %17s %9s %9s %6s\n", "HS", "D", "M", "f", "f*", "violation", "KKT", "evals");
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    const ConstrainedResult result =
        MinimizeAugmentedLagrangian(Problem(problem), Tensor(problem.start), {}).value();
    const Summary& summary = result.summary;
    const bool feasible = summary.infeasibility <= 1e-6;
    const bool optimal = summary.value <= problem.optimum + 1e-5 * std::max(1.0, std::abs(problem.optimum));
    std::printf("%4d %3d %3d %17.9f %17.9f %9.1e %9.1e %6d %s%s\n", problem.number, int(problem.start.size()),
                int(result.constraints.numel()), summary.value, problem.optimum, summary.infeasibility,
                summary.optimality, int(summary.calls.values), feasible && optimal ? "solved " : "",
                TerminationName(summary.termination));
    solved += feasible && optimal;
    converged += summary.converged();
    evaluations += summary.calls.values;
    // Something better than the best known would be a sign of a formula that is wrong; but at 13's solution,
    // which has no multipliers, f changes by the cube root of a violation.
    const double room = (problem.number == 13 ? 1e-2 : 1e-4) * std::max(1.0, std::abs(problem.optimum));
    EXPECT_TRUE(!feasible || summary.value >= problem.optimum - room) << problem.number;
    for (int64_t i = problem.equalities; i < result.multipliers.numel(); ++i) {
      EXPECT_GE(result.multipliers[i].item<double>(), 0);
    }
  }
  std::printf("solved %d, converged %d of %d with %d evaluations\n", solved, converged,
              int(HockSchittkowskiProblems().size()), int(evaluations));
  EXPECT_GE(solved, 81);
  EXPECT_GE(converged, 86);
}

const HockSchittkowskiProblem& Number(int number) {
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    if (problem.number == number) return problem;
  }
  std::abort();
}

TEST(AugmentedLagrangianTest, MultipliersAreThoseOfTheLagrangian) {
  // 14: an equality and an inequality; at its solution the gradient of f is that of l'c.
  const ConstrainedProblem problem = Problem(Number(14));
  const ConstrainedResult result = MinimizeAugmentedLagrangian(problem, Tensor(Number(14).start), {}).value();
  ASSERT_TRUE(result.summary.converged()) << result.summary.FullReport();
  const ConstrainedEvaluation point = problem.evaluate(result.x).value();
  const at::Tensor rest = point.gradient - at::mv(point.jacobian.t(), result.multipliers);
  EXPECT_LE(rest.abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(result.multipliers[0].item<double>(), -1.594491, 1e-5);
  EXPECT_NEAR(result.multipliers[1].item<double>(), 1.846591, 1e-5);
  EXPECT_GT(result.summary.calls.jacobians, 0);
  EXPECT_EQ(result.summary.history.size(), result.summary.iterations);
}

TEST(AugmentedLagrangianTest, ConstraintsWeighAlike) {
  // 106: gradients of its constraints at the start are 0.0025 to 5000 long.
  const HockSchittkowskiProblem& number = Number(106);
  const ConstrainedResult result =
      MinimizeAugmentedLagrangian(Problem(number), Tensor(number.start), {}).value();
  EXPECT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_NEAR(result.summary.value, number.optimum, 1e-3);
  EXPECT_LE(result.summary.infeasibility, 1e-8);
}

TEST(AugmentedLagrangianTest, CurvaturesSpareEvaluations) {
  // sum of k_i (x_i - 1)^2 / 2 subject to sum of x_i = 0: x_i = 1 - l / k_i with l = 20 / (sum of 1 / k_i).
  const at::Tensor stiffness = at::pow(10, at::arange(20, at::kDouble) / 4);
  ConstrainedProblem problem;
  problem.equalities = 1;
  problem.evaluate = [&](const at::Tensor& x) {
    const at::Tensor slope = stiffness * (x - 1);
    return ConstrainedEvaluation{((x - 1) * slope).sum().item<double>() / 2, slope,
                                 Tensor({x.sum().item<double>()}), at::ones({1, 20}, at::kDouble)};
  };
  const at::Tensor start = at::zeros({20}, at::kDouble);
  const ConstrainedResult plain = MinimizeAugmentedLagrangian(problem, start, {}).value();
  problem.curvatures = [&](const at::Tensor&, const at::Tensor&) { return stiffness; };
  const ConstrainedResult scaled = MinimizeAugmentedLagrangian(problem, start, {}).value();
  EXPECT_TRUE(scaled.summary.converged()) << scaled.summary.BriefReport();
  const at::Tensor expected = 1 - 20 / (stiffness * (1 / stiffness).sum());
  EXPECT_LE((scaled.x - expected).abs().max().item<double>(), 1e-3);  // 1e-6 of the scaled gradient
  EXPECT_NEAR(scaled.multipliers[0].item<double>(), (stiffness[0] * (expected[0] - 1)).item<double>(), 1e-2);
  EXPECT_LT(3 * scaled.summary.calls.values, plain.summary.calls.values) << plain.summary.BriefReport();
}

// f = x, g(x) as given, from 1.
ConstrainedResult Line(std::function<double(double)> constraint, std::function<double(double)> slope,
                       int64_t equalities, const AugmentedLagrangianOptions& options = {}) {
  ConstrainedProblem problem;
  problem.equalities = equalities;
  problem.evaluate = [&](const at::Tensor& x) {
    const double value = x.item<double>();
    return ConstrainedEvaluation{value, Tensor({1}), Tensor({constraint(value)}),
                                 Tensor({slope(value)}).view({1, 1})};
  };
  return MinimizeAugmentedLagrangian(problem, Tensor({1}), options).value();
}

TEST(AugmentedLagrangianTest, ContradictionsAreInfeasible) {
  const ConstrainedResult result =
      Line([](double x) { return x * x + 1; }, [](double x) { return 2 * x; }, 1);
  EXPECT_EQ(result.summary.termination, Termination::kInfeasible) << result.summary.FullReport();
  EXPECT_NEAR(result.summary.infeasibility, 1, 1e-3);
}

TEST(AugmentedLagrangianTest, FailuresAreWallsAndAFirstOneIsTold) {
  // min x with log(x) >= -2, which is NaN below 0.
  const ConstrainedResult result =
      Line([](double x) { return std::log(x) + 2; }, [](double x) { return 1 / x; }, 0);
  EXPECT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_NEAR(result.x.item<double>(), std::exp(-2), 1e-7);
  const auto nan = [](double) { return std::nan(""); };
  EXPECT_EQ(Line(nan, nan, 1).summary.termination, Termination::kNumericalFailure);
  const auto throws = [](double) -> double { throw std::runtime_error("no solver"); };
  EXPECT_THAT(Line(throws, throws, 1).summary.reason,
              HasSubstr("the first point failed: problem threw: no solver"));
}

TEST(AugmentedLagrangianTest, EndsAsToldTo) {
  const HockSchittkowskiProblem& number = Number(71);
  AugmentedLagrangianOptions options;
  options.mutable_stop()->set_max_iterations(2);
  ConstrainedResult result =
      MinimizeAugmentedLagrangian(Problem(number), Tensor(number.start), options).value();
  EXPECT_EQ(result.summary.termination, Termination::kMaxIterations);
  EXPECT_EQ(result.summary.iterations, 2);
  options.mutable_stop()->set_max_evaluations(12);
  result = MinimizeAugmentedLagrangian(Problem(number), Tensor(number.start), options).value();
  EXPECT_EQ(result.summary.termination, Termination::kMaxEvaluations);
  EXPECT_LE(result.summary.calls.values, 12 + 31);  // the sub-problem ends with its iteration
  result = MinimizeAugmentedLagrangian(Problem(number), Tensor(number.start), {}, [](const IterationRecord&) {
             return false;
           }).value();
  EXPECT_EQ(result.summary.termination, Termination::kStopped);

  ConstrainedProblem falling;
  falling.evaluate = [](const at::Tensor& x) {
    return ConstrainedEvaluation{-std::pow(x.item<double>(), 3), -3 * x.pow(2), {}, {}};
  };
  EXPECT_EQ(MinimizeAugmentedLagrangian(falling, Tensor({1}), {}).value().summary.termination,
            Termination::kUnbounded);
}

TEST(AugmentedLagrangianTest, WrongInputIsTold) {
  ConstrainedProblem problem = Problem(Number(14));
  EXPECT_FALSE(MinimizeAugmentedLagrangian(problem, at::zeros({2, 1}), {}).ok());
  problem.equalities = 3;
  EXPECT_THAT(MinimizeAugmentedLagrangian(problem, Tensor({2, 2}), {}).value().summary.reason,
              HasSubstr("expected at least 3 equalities"));
  problem.lower = Tensor({0, 5});
  problem.upper = Tensor({0, 4});
  EXPECT_THAT(MinimizeAugmentedLagrangian(problem, Tensor({2, 2}), {}).status().message(),
              HasSubstr("coordinate 1"));
}

}  // namespace
}  // namespace plumb
