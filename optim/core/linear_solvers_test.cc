#include "optim/core/linear_solvers.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "common/tensor/random.h"
#include "common/testing/testing.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Random(at::IntArrayRef sizes, int index) {
  return RandomStream(1, "linear_solvers_test").Child(index).NormalTensor(sizes, at::kDouble);
}

LinearOperator Product(const at::Tensor& matrix) {
  return [matrix](const at::Tensor& v) { return at::mv(matrix, v); };
}

LinearSolverOptions Tolerance(double tolerance) {
  LinearSolverOptions options;
  options.set_relative_tolerance(tolerance);
  return options;
}

// B B' + I.
at::Tensor PositiveDefinite(int64_t size) {
  const at::Tensor root = Random({size, size}, 0);
  return at::mm(root, root.t()) + at::eye(size, at::kDouble);
}

// Far from symmetric, with eigenvalues on the right of zero.
at::Tensor General(int64_t size) { return Random({size, size}, 0) + 8 * at::eye(size, at::kDouble); }

double Residual(const at::Tensor& matrix, const at::Tensor& b, const at::Tensor& x) {
  return (b - at::mv(matrix, x)).norm().item<double>();
}

using Solver = absl::StatusOr<LinearSolution> (*)(const LinearOperator&, const at::Tensor&,
                                                  const LinearSolverOptions&, const LinearOperator&,
                                                  const at::Tensor&);
constexpr Solver kSolvers[] = {ConjugateGradient, BiCgStab, Gmres};

TEST(LinearSolversTest, SolveAPositiveDefiniteSystem) {
  const at::Tensor matrix = PositiveDefinite(20), b = Random({20}, 1);
  for (const Solver solver : kSolvers) {
    const LinearSolution solution = solver(Product(matrix), b, Tolerance(1e-10), nullptr, {}).value();
    EXPECT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
    EXPECT_LE(Residual(matrix, b, solution.x), 1e-10 * b.norm().item<double>());
    EXPECT_NEAR(solution.summary.optimality, Residual(matrix, b, solution.x), 1e-12);
    EXPECT_EQ(solution.summary.history.size(), solution.summary.iterations);
  }
}

TEST(LinearSolversTest, SolveAGeneralSystem) {
  const at::Tensor matrix = General(30), b = Random({30}, 1);
  LinearSolverOptions options = Tolerance(1e-10);
  for (const int restart : {1, 5, 40}) {
    options.set_restart(restart);
    const LinearSolution solution = Gmres(Product(matrix), b, options).value();
    EXPECT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
    EXPECT_LE(Residual(matrix, b, solution.x), 1e-10 * b.norm().item<double>());
    EXPECT_LE(solution.summary.iterations, restart == 40 ? 30 : 300);
  }
  const LinearSolution solution = BiCgStab(Product(matrix), b, options).value();
  EXPECT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
  const LinearSolution normal =
      NormalConjugateGradient(Product(matrix), Product(matrix.t()), b, options).value();
  EXPECT_TRUE(normal.summary.converged()) << normal.summary.FullReport();
  EXPECT_LE(Residual(matrix, b, normal.x), 1e-8);
}

TEST(LinearSolversTest, NormalConjugateGradientIsLeastSquares) {
  const at::Tensor matrix = Random({15, 6}, 0), b = Random({15}, 1);
  const LinearSolution solution =
      NormalConjugateGradient(Product(matrix), Product(matrix.t()), b, Tolerance(1e-12)).value();
  EXPECT_TRUE(solution.summary.converged());
  EXPECT_LE(at::mv(matrix.t(), b - at::mv(matrix, solution.x)).norm().item<double>(), 1e-9);
  EXPECT_GT(Residual(matrix, b, solution.x), 0.1);
  EXPECT_EQ(solution.summary.calls.matrix_vectors % 2, 1);
  EXPECT_GE(solution.summary.calls.matrix_vectors, 2 * solution.summary.iterations + 1);
}

TEST(LinearSolversTest, ConjugateGradientTakesAnIterationForEachEigenvalue) {
  const at::Tensor matrix = at::diag(at::tensor({1.0, 1.0, 1.0, 50.0, 50.0, 1000.0}, at::kDouble));
  const LinearSolution solution =
      ConjugateGradient(Product(matrix), Random({6}, 1), Tolerance(1e-12)).value();
  EXPECT_TRUE(solution.summary.converged());
  EXPECT_EQ(solution.summary.iterations, 3);
}

TEST(LinearSolversTest, APreconditionerSavesIterations) {
  const at::Tensor scales = at::linspace(1, 1e4, 50, at::kDouble);
  const at::Tensor noise = Random({50, 50}, 0);
  const at::Tensor matrix = at::diag(scales) + 0.005 * (noise + noise.t()), b = Random({50}, 1);
  const LinearOperator jacobi = [&](const at::Tensor& v) { return v / scales; };
  for (const Solver solver : kSolvers) {
    const LinearSolution plain = solver(Product(matrix), b, Tolerance(1e-10), nullptr, {}).value();
    const LinearSolution fast = solver(Product(matrix), b, Tolerance(1e-10), jacobi, {}).value();
    EXPECT_TRUE(fast.summary.converged()) << fast.summary.FullReport();
    EXPECT_LT(3 * fast.summary.iterations, plain.summary.iterations);
    EXPECT_GT(fast.summary.calls.preconditioners, 0);
    EXPECT_LE(Residual(matrix, b, fast.x), 1e-10 * b.norm().item<double>());
  }
}

TEST(LinearSolversTest, StartsFromAGuess) {
  const at::Tensor matrix = PositiveDefinite(10), x = Random({10}, 1), b = at::mv(matrix, x);
  for (const Solver solver : kSolvers) {
    const LinearSolution solution = solver(Product(matrix), b, Tolerance(1e-10), nullptr, x).value();
    EXPECT_TRUE(solution.summary.converged());
    EXPECT_EQ(solution.summary.iterations, 0);
    EXPECT_EQ(solution.summary.calls.matrix_vectors, 1);
  }
  for (const Solver solver : kSolvers) {  // zero is solved by zero
    EXPECT_TRUE(
        solver(Product(matrix), at::zeros({10}, at::kDouble), {}, nullptr, {}).value().summary.converged());
  }
}

TEST(LinearSolversTest, BreakdownsAreTold) {
  const at::Tensor indefinite = at::diag(at::tensor({1.0, -1.0, 2.0}, at::kDouble)),
                   ones = at::ones({3}, at::kDouble);
  const LinearSolution negative =
      ConjugateGradient(Product(-at::eye(3, at::kDouble)), ones, Tolerance(1e-8)).value();
  EXPECT_EQ(negative.summary.termination, Termination::kNumericalFailure);
  EXPECT_THAT(negative.summary.reason, HasSubstr("p'Ap (A must be positive definite) is -3"));
  // GMRES does not mind.
  EXPECT_TRUE(Gmres(Product(indefinite), ones, Tolerance(1e-8)).value().summary.converged());

  const at::Tensor singular = at::zeros({3, 3}, at::kDouble);
  EXPECT_THAT(Gmres(Product(singular), ones, {}).value().summary.reason, HasSubstr("A is singular"));
  EXPECT_THAT(BiCgStab(Product(singular), ones, {}).value().summary.reason, HasSubstr("r_0'A p"));

  const LinearOperator nan = [](const at::Tensor& v) { return v * std::nan(""); };
  const LinearOperator throws = [](const at::Tensor&) -> at::Tensor { throw std::runtime_error("lost"); };
  for (const Solver solver : kSolvers) {
    const LinearSolution broken = solver(nan, ones, {}, nullptr, {}).value();
    EXPECT_EQ(broken.summary.termination, Termination::kNumericalFailure) << broken.summary.BriefReport();
    EXPECT_EQ(broken.x.abs().sum().item<double>(), 0);
    EXPECT_THAT(solver(throws, ones, {}, nullptr, {}).value().summary.reason,
                HasSubstr("operator threw: lost"));
  }
}

TEST(LinearSolversTest, BoundsOfReachAreTold) {
  // b has a part outside the range of a singular matrix.
  const at::Tensor singular = at::diag(at::tensor({1.0, 2.0, 0.0}, at::kDouble)),
                   b = at::ones({3}, at::kDouble);
  const LinearSolution solution = Gmres(Product(singular), b, Tolerance(1e-8)).value();
  EXPECT_FALSE(solution.summary.converged());
  EXPECT_NEAR(solution.summary.optimality, 1, 1e-12);
  LinearSolverOptions options = Tolerance(1e-12);
  options.mutable_stop()->set_max_iterations(2);
  const at::Tensor matrix = PositiveDefinite(20);
  for (const Solver solver : kSolvers) {
    const LinearSolution cut = solver(Product(matrix), Random({20}, 1), options, nullptr, {}).value();
    EXPECT_EQ(cut.summary.termination, Termination::kMaxIterations);
    EXPECT_EQ(cut.summary.iterations, 2);
  }
  EXPECT_FALSE(Gmres(Product(matrix), at::ones({20}, at::kInt), {}).ok());
  EXPECT_FALSE(Gmres(Product(matrix), at::ones({20, 1}, at::kDouble), {}).ok());
  EXPECT_FALSE(Gmres(Product(matrix), Random({20}, 1), {}, nullptr, at::ones({19}, at::kDouble)).ok());
}

TEST(LinearSolversTest, F32ReachesItsPrecision) {
  const at::Tensor matrix = PositiveDefinite(20), b = Random({20}, 1).to(at::kFloat);
  for (const Solver solver : kSolvers) {
    const LinearSolution solution =
        solver(Product(matrix.to(at::kFloat)), b, Tolerance(1e-5), nullptr, {}).value();
    EXPECT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
    EXPECT_EQ(solution.x.scalar_type(), at::kFloat);
    // Out of reach: it says so, rather than trust its recurrence.
    const LinearSolution greedy =
        solver(Product(matrix.to(at::kFloat)), b, Tolerance(1e-12), nullptr, {}).value();
    EXPECT_FALSE(greedy.summary.converged());
    EXPECT_LE(greedy.summary.optimality, 1e-5 * Norm(b));
  }
}

TEST(LinearSolversTest, ThreadsDoNotChangeABit) {
  const int64_t size = 50000;
  const at::Tensor scales = at::linspace(1, 100, size, at::kDouble), b = Random({size}, 1);
  const LinearOperator product = [&](const at::Tensor& v) { return scales * v; };
  const int threads = at::get_num_threads();
  for (const Solver solver : kSolvers) {
    at::set_num_threads(1);
    const at::Tensor one = solver(product, b, Tolerance(1e-8), nullptr, {}).value().x;
    at::set_num_threads(2);
    const at::Tensor two = solver(product, b, Tolerance(1e-8), nullptr, {}).value().x;
    EXPECT_TRUE(one.equal(two));
  }
  at::set_num_threads(threads);
}

TEST(DotTest, SumsInF64) {
  const at::Tensor big = at::ones({10001}, at::kFloat) * 10000.0f;
  EXPECT_EQ(Dot(big, big), 10001e8);
  EXPECT_EQ(Norm(at::tensor({3.0, 4.0}, at::kDouble)), 5);
  EXPECT_EQ(Dot(at::zeros({0}, at::kDouble), at::zeros({0}, at::kDouble)), 0);
}

}  // namespace
}  // namespace plumb
