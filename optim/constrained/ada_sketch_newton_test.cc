#include "optim/constrained/ada_sketch_newton.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/constrained/sketch_and_project.h"
#include "optim/core/hock_schittkowski.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Sketch = SketchAndProject::Sketch;
using Solver = AdaSketchNewtonOptions::Solver;

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

// Symmetric and indefinite, as KKT matrices are.
at::Tensor Indefinite(int64_t size) {
  const at::Tensor a = Numbers({size, size}, 0.3, 0.1), signs = at::ones({size}, at::kDouble);
  signs.narrow(0, size / 2, size - size / 2).fill_(-1);
  return a + a.t() + at::diag(signs);
}

TEST(SketchAndProjectTest, SolvesAsADirectSolverDoes) {
  const at::Tensor a = Indefinite(8), b = Numbers({8}, 0.9), exact = at::linalg_solve(a, b);
  for (const Sketch sketch : {Sketch::kKaczmarz, Sketch::kGaussian}) {
    SketchAndProject solver = SketchAndProject::Create(a, b, sketch, RandomStream(1, "sketch")).value();
    EXPECT_NEAR(solver.residual(), b.norm().item<double>(), 1e-14);
    ASSERT_TRUE(solver.Solve(1e-10, 1000000));
    const at::Tensor z = Tensor(solver.solution());
    EXPECT_NEAR(solver.residual(), (b - at::mv(a, z)).norm().item<double>(), 1e-14);
    EXPECT_LE(solver.residual(), 1e-10);
    EXPECT_LT(Difference(z, exact), 1e-8);
    EXPECT_EQ(solver.steps() % 8, 0);
    const double a_step = sketch == Sketch::kKaczmarz ? 4 * 8 : 2 * 64 + 8 * 8;
    EXPECT_DOUBLE_EQ(solver.flops(), solver.steps() * a_step + solver.steps() / 8 * 2 * 64);
  }
}

// Each step projects: the distance to the solution cannot grow, and the step is orthogonal to what is left.
TEST(SketchAndProjectTest, AStepIsAProjection) {
  const at::Tensor a = Indefinite(6), b = Numbers({6}, 0.9), exact = at::linalg_solve(a, b);
  for (const Sketch sketch : {Sketch::kKaczmarz, Sketch::kGaussian}) {
    SketchAndProject solver = SketchAndProject::Create(a, b, sketch, RandomStream(2, "sketch")).value();
    at::Tensor last = at::zeros({6}, at::kDouble);
    for (int step = 0; step < 40; ++step) {
      solver.Solve(0, 1);
      const at::Tensor z = Tensor(solver.solution());
      EXPECT_NEAR(((z - last) * (exact - z)).sum().item<double>(), 0, 1e-12);
      // Of the Kaczmarz method, one of the equations holds.
      if (sketch == Sketch::kKaczmarz) {
        EXPECT_LT((b - at::mv(a, z)).abs().min().item<double>(), 1e-13);
      }
      last = z;
    }
    EXPECT_EQ(solver.steps(), 40);
    EXPECT_LT(Difference(last, exact), 0.9 * exact.abs().max().item<double>());
  }
}

TEST(SketchAndProjectTest, ReadsNothingButNonzeros) {
  const at::Tensor a = 2 * at::eye(10, at::kDouble);
  SketchAndProject solver =
      SketchAndProject::Create(a, at::ones({10}, at::kDouble), Sketch::kKaczmarz, RandomStream(1, "sketch"))
          .value();
  EXPECT_FALSE(solver.Solve(0, 5));
  EXPECT_DOUBLE_EQ(solver.flops(), 5 * 4 + 2 * 10);
  EXPECT_TRUE(solver.Solve(1e-12, 1000));
  EXPECT_LT(Difference(Tensor(solver.solution()), at::ones({10}, at::kDouble) / 2), 1e-12);
}

TEST(SketchAndProjectTest, SaysWhatIsWrong) {
  const RandomStream random(1, "sketch");
  at::Tensor a = Indefinite(3);
  EXPECT_FALSE(SketchAndProject::Create(a, Numbers({2}, 0.1), Sketch::kKaczmarz, random).ok());
  a[1].zero_();
  EXPECT_THAT(SketchAndProject::Create(a, Numbers({3}, 0.1), Sketch::kKaczmarz, random).status().message(),
              HasSubstr("row 1 is zero"));
}

const HockSchittkowskiProblem& Number(int number) {
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    if (problem.number == number) return problem;
  }
  std::abort();
}

ConstrainedProblem Problem(const HockSchittkowskiProblem& problem) {
  ConstrainedProblem result;
  result.equalities = problem.equalities;
  result.evaluate = [&problem](const at::Tensor& x) {
    const double* data = x.const_data_ptr<double>();
    const HockSchittkowskiPoint point = problem.evaluate(std::vector<double>(data, data + x.numel()));
    return ConstrainedEvaluation{point.value, Tensor(point.gradient), Tensor(point.constraints),
                                 Tensor(point.jacobian).view({-1, x.numel()})};
  };
  return result;
}

// |(f' - l'c', c)|, from the problem's own formulas.
double KktResidual(const ConstrainedProblem& problem, const ConstrainedResult& result) {
  const ConstrainedEvaluation point = problem.evaluate(result.x).value();
  return at::cat({point.gradient - at::mv(point.jacobian.t(), result.multipliers), point.constraints})
      .norm()
      .item<double>();
}

// All of the collection with equalities alone; but 61, whose gradients depend on each other at its start.
// Near the solutions of 46 and 49, where Hessians are singular, sketches do not get far.
TEST(AdaSketchNewtonTest, SolvesHockAndSchittkowskisEqualityProblems) {
  const int numbers[] = {6, 7, 8, 9, 26, 27, 28, 39, 40, 42, 46, 47, 48, 49, 50, 51, 52, 56, 77, 78, 79};
  std::printf("%4s %-9s %14s %14s %9s %5s %6s %9s\n", "HS", "solver", "f", "f*", "KKT", "iter.", "evals",
              "sketches");
  for (const Solver solver : {Solver::kDirect, Solver::kKaczmarz, Solver::kGaussian}) {
    const char* const name = solver == Solver::kDirect     ? "direct"
                             : solver == Solver::kKaczmarz ? "Kaczmarz"
                                                           : "Gaussian";
    int converged = 0, optimal = 0;
    for (const int number : numbers) {
      const ConstrainedProblem problem = Problem(Number(number));
      AdaSketchNewtonOptions options;
      options.solver = solver;
      options.tolerance = 1e-4;  // the paper's
      options.stop.set_max_iterations(60);
      options.most_sketches = 20000;
      const AdaSketchNewtonResult result =
          MinimizeAdaSketchNewton(problem, nullptr, Tensor(Number(number).start), options).value();
      const double optimum = Number(number).optimum, residual = KktResidual(problem, result);
      std::printf("%4d %-9s %14.8f %14.8f %9.1e %5d %6d %9d %s\n", number, name, result.summary.value,
                  optimum, residual, int(result.summary.iterations), int(result.summary.calls.values),
                  int(result.sketches), TerminationName(result.summary.termination));
      EXPECT_NEAR(residual, result.summary.optimality, 1e-9 + 1e-6 * residual);
      EXPECT_TRUE(!result.summary.converged() || residual <= 1e-4);
      converged += residual <= 1e-4;
      optimal +=
          residual <= 1e-4 && std::abs(result.summary.value - optimum) <= 1e-3 * (1 + std::abs(optimum));
    }
    std::printf("%s: converged %d, to the book's optimum %d\n", name, converged, optimal);
    EXPECT_GE(converged, solver == Solver::kDirect ? 21 : 18) << name;
    EXPECT_GE(optimal, solver == Solver::kDirect ? 21 : 18) << name;
  }
}

// f = x'Ax / 2 - b'x with C x = d, whose KKT system is linear.
struct QuadraticProgram {
  at::Tensor a = at::mm(Numbers({5, 5}, 0.2), Numbers({5, 5}, 0.2).t()) + at::eye(5, at::kDouble);
  at::Tensor b = Numbers({5}, 0.5), c = Numbers({2, 5}, 0.7), d = Numbers({2}, 0.1);

  ConstrainedProblem Functions() const {
    ConstrainedProblem problem;
    problem.equalities = 2;
    problem.evaluate = [*this](const at::Tensor& x) {
      const at::Tensor ax = at::mv(a, x);
      return ConstrainedEvaluation{(x * (ax / 2 - b)).sum().item<double>(), ax - b, at::mv(c, x) - d, c};
    };
    return problem;
  }
  LagrangianHessian Hessian() const {
    return [*this](const at::Tensor&, const at::Tensor&) { return a; };
  }
  // (x, l of f + l'c)
  at::Tensor Solution() const {
    const at::Tensor k = at::cat({at::cat({a, c.t()}, 1), at::cat({c, at::zeros({2, 2}, at::kDouble)}, 1)});
    return at::linalg_solve(k, at::cat({b, d}));
  }
};

TEST(AdaSketchNewtonTest, AQuadraticProgramIsOneLinearSystem) {
  const QuadraticProgram program;
  const at::Tensor solution = program.Solution();
  for (const Solver solver : {Solver::kDirect, Solver::kKaczmarz, Solver::kGaussian}) {
    for (const bool given : {true, false}) {
      AdaSketchNewtonOptions options;
      options.solver = solver;
      options.tolerance = 1e-7;
      const AdaSketchNewtonResult result =
          MinimizeAdaSketchNewton(program.Functions(), given ? program.Hessian() : nullptr,
                                  Numbers({5}, 0.4, 3), options)
              .value();
      ASSERT_TRUE(result.summary.converged()) << result.summary.FullReport();
      EXPECT_LE(result.summary.iterations, 2);
      EXPECT_LT(Difference(result.x, solution.narrow(0, 0, 5)), 1e-6);
      EXPECT_LT(Difference(result.multipliers, -solution.narrow(0, 5, 2)), 1e-6);
      EXPECT_EQ(result.sketches > 0, solver != Solver::kDirect);
    }
  }
}

// First penalties with which Newton's direction does not descend.
TEST(AdaSketchNewtonTest, PenaltiesAdapt) {
  const ConstrainedProblem problem = Problem(Number(7));
  AdaSketchNewtonOptions options;
  options.eta_1 = 1e-3;
  options.eta_2 = 10;
  const AdaSketchNewtonResult result =
      MinimizeAdaSketchNewton(problem, nullptr, Tensor(Number(7).start), options).value();
  ASSERT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_LE(KktResidual(problem, result), 1e-6);
  EXPECT_GT(result.penalty, 1e-3);
  EXPECT_LT(result.eta_2, 10);
  // By nu^2 and nu at once.
  EXPECT_NEAR(std::log(result.penalty / 1e-3), 2 * std::log(10 / result.eta_2), 1e-9);
}

// Systems solved to some digits, in the end all, take the residual down faster than those solved to the same
// few; about 0.07 of each system's residual here.
TEST(AdaSketchNewtonTest, SharperSystemsTakeFewerIterations) {
  const ConstrainedProblem problem = Problem(Number(79));
  int64_t iterations[2], sketches[2];
  for (const bool sharpen : {false, true}) {
    AdaSketchNewtonOptions options;
    options.tolerance = 1e-9;
    options.least_delta = 1e4;
    options.sharpen = sharpen;
    const AdaSketchNewtonResult result =
        MinimizeAdaSketchNewton(problem, nullptr, Tensor(Number(79).start), options).value();
    ASSERT_TRUE(result.summary.converged()) << result.summary.FullReport();
    iterations[sharpen] = result.summary.iterations;
    sketches[sharpen] = result.sketches / result.summary.iterations;
  }
  EXPECT_LT(iterations[true], iterations[false]);
  EXPECT_GT(sketches[true], sketches[false]);
}

TEST(AdaSketchNewtonTest, TheSeedDecides) {
  AdaSketchNewtonOptions options;
  const auto sketches = [&](uint64_t seed) {
    options.seed = seed;
    return MinimizeAdaSketchNewton(Problem(Number(7)), nullptr, Tensor(Number(7).start), options)->x;
  };
  EXPECT_EQ(Difference(sketches(3), sketches(3)), 0);
  EXPECT_GT(Difference(sketches(3), sketches(4)), 0);
}

TEST(AdaSketchNewtonTest, FailuresAreWallsAndAFirstOneIsTold) {
  ConstrainedProblem problem;
  problem.equalities = 1;
  problem.evaluate = [](const at::Tensor& at) {
    const double x = at[0].item<double>(), y = at[1].item<double>();
    return ConstrainedEvaluation{x * x / 2 - y, Tensor({x, -1}), Tensor({std::log(x) - y}),
                                 Tensor({1 / x, -1}).view({1, 2})};
  };
  // f = x^2 / 2 - log x on the curve: x = 1.
  const AdaSketchNewtonResult result = MinimizeAdaSketchNewton(problem, nullptr, Tensor({3, 0}), {}).value();
  ASSERT_TRUE(result.summary.converged()) << result.summary.FullReport();
  EXPECT_NEAR(result.x[0].item<double>(), 1, 1e-5);
  EXPECT_NEAR(result.x[1].item<double>(), 0, 1e-5);
  const AdaSketchNewtonResult failed = MinimizeAdaSketchNewton(problem, nullptr, Tensor({-1, 0}), {}).value();
  EXPECT_EQ(failed.summary.termination, Termination::kNumericalFailure);
  EXPECT_THAT(failed.summary.reason, HasSubstr("the first point failed: problem: a value"));
}

TEST(AdaSketchNewtonTest, DependentConstraintsAreTold) {
  const AdaSketchNewtonResult result =
      MinimizeAdaSketchNewton(Problem(Number(61)), nullptr, Tensor(Number(61).start), {}).value();
  EXPECT_EQ(result.summary.termination, Termination::kNumericalFailure);
  EXPECT_THAT(result.summary.reason, HasSubstr("depend on each other"));
}

TEST(AdaSketchNewtonTest, SaysWhatIsWrong) {
  ConstrainedProblem problem = Problem(Number(7));
  const at::Tensor start = Tensor(Number(7).start);
  const auto message = [&](const AdaSketchNewtonOptions& options) {
    return std::string(MinimizeAdaSketchNewton(problem, nullptr, start, options).status().message());
  };
  AdaSketchNewtonOptions options;
  options.nu = 1;
  EXPECT_THAT(message(options), HasSubstr("nu 1"));
  options = {};
  options.beta = 0.5;
  EXPECT_THAT(message(options), HasSubstr("beta 0.5"));
  options = {};
  options.delta = 0;
  EXPECT_THAT(message(options), HasSubstr("delta 0"));
  options = {};
  options.multipliers = at::zeros({2}, at::kDouble);
  EXPECT_THAT(message(options), HasSubstr("multipliers: shape [2], expected [1]"));
  problem.lower = at::zeros({2}, at::kDouble);
  EXPECT_THAT(message({}), HasSubstr("has bounds"));
  problem.lower = at::Tensor();
  problem.equalities = 0;
  EXPECT_THAT(MinimizeAdaSketchNewton(problem, nullptr, start, {}).value().summary.reason,
              HasSubstr("expected equalities alone"));
}

}  // namespace
}  // namespace plumb
