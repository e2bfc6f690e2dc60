#include "optim/relaxation/relaxation_solvers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

constexpr int64_t kGrid = 10;

// Of five points on a square grid with zeros around it. The Jacobi iteration's spectral radius is cos(pi / (n
// + 1)), and the matrix is consistently ordered, so that Young's formulas hold.
SparseMatrix Laplacian() {
  std::vector<SparseMatrix::Entry> entries;
  for (int64_t row = 0; row < kGrid; ++row) {
    for (int64_t column = 0; column < kGrid; ++column) {
      const int64_t here = row * kGrid + column;
      entries.push_back({here, here, 4});
      if (row > 0) entries.push_back({here, here - kGrid, -1});
      if (row + 1 < kGrid) entries.push_back({here, here + kGrid, -1});
      if (column > 0) entries.push_back({here, here - 1, -1});
      if (column + 1 < kGrid) entries.push_back({here, here + 1, -1});
    }
  }
  return SparseMatrix::FromEntries(kGrid * kGrid, entries).value();
}

at::Tensor Dense(const SparseMatrix& a) {
  const at::Tensor dense = at::zeros({a.size(), a.size()}, at::kDouble),
                   identity = at::eye(a.size(), at::kDouble);
  for (int64_t i = 0; i < a.size(); ++i) dense.select(1, i).copy_(a.Multiply(identity[i]));
  return dense;
}

LinearSolverOptions Precise(double tolerance = 1e-10) {
  LinearSolverOptions options;
  options.set_relative_tolerance(tolerance);
  return options;
}

TEST(SparseMatrixTest, IsTheDenseOne) {
  const at::Tensor a = Numbers({7, 7}, 0.3), v = Numbers({7}, 0.8);
  a.masked_fill_(a.abs() < 0.4, 0);
  a.fill_diagonal_(3);
  const SparseMatrix sparse = SparseMatrix::FromDense(a).value();
  EXPECT_EQ(sparse.nonzeros(), (a != 0).sum().item<int64_t>());
  EXPECT_LT(Difference(Dense(sparse), a), 1e-15);
  EXPECT_LT(Difference(Dense(sparse.Shifted(0.5).value()), a + 0.5 * at::eye(7, at::kDouble)), 1e-15);
  // In any order, and those of one place added.
  const SparseMatrix entries =
      SparseMatrix::FromEntries(2, {{1, 0, 2}, {1, 1, 1}, {0, 0, 3}, {1, 0, 5}, {1, 1, 1}}).value();
  EXPECT_LT(Difference(Dense(entries), at::tensor({3., 0., 7., 2.}, at::kDouble).view({2, 2})), 1e-15);
}

TEST(RelaxationSolversTest, AnIterationIsTheFormula) {
  const at::Tensor a = Dense(Laplacian()) + 0.1 * at::eye(kGrid * kGrid, at::kDouble);
  const SparseMatrix sparse = SparseMatrix::FromDense(a).value();
  const at::Tensor b = Numbers({kGrid * kGrid}, 0.2), x_0 = Numbers({kGrid * kGrid}, 0.7);
  for (const double omega : {0.7, 1.0, 1.6}) {
    LinearSolverOptions options = Precise();
    options.mutable_stop()->set_max_iterations(1);
    const LinearSolution one = SuccessiveOverRelaxation(sparse, b, omega, options, x_0).value();
    const at::Tensor m = at::diag(a.diagonal()) / omega + at::tril(a, -1);
    EXPECT_LT(Difference(one.x, x_0 + at::linalg_solve(m, b - at::mv(a, x_0))), 1e-13);
    EXPECT_NEAR(one.summary.optimality, (b - at::mv(a, one.x)).norm().item<double>(), 1e-12);
    // The preconditioner against its own definition.
    const at::Tensor inverse = SymmetricOverRelaxation(sparse, omega)(b);
    const at::Tensor product = omega / (2 - omega) * at::mv(m, at::mv(m.t(), inverse) / a.diagonal());
    EXPECT_LT(Difference(product, b), 1e-12);
  }
}

TEST(RelaxationSolversTest, TheRateIsYoungs) {
  const SparseMatrix a = Laplacian();
  const at::Tensor b = Numbers({a.size()}, 0.4), exact = at::linalg_solve(Dense(a), b);
  const double radius = std::cos(M_PI / (kGrid + 1));
  const double best = 2 / (1 + std::sqrt(1 - radius * radius));
  // With omega = 1, Gauss and Seidel's, residuals fall by the radius' square; at 1.3 by the larger root of
  // (l + omega - 1)^2 = l omega^2 radius^2.
  for (const double omega : {1.0, 1.3}) {
    const LinearSolution solution = SuccessiveOverRelaxation(a, b, omega, Precise()).value();
    ASSERT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
    EXPECT_LT(Difference(solution.x, exact), 1e-8);
    const std::vector<IterationRecord>& history = solution.summary.history;
    const double half = omega * radius / 2, root = half + std::sqrt(half * half + 1 - omega);
    EXPECT_NEAR(history.back().optimality / history[history.size() - 2].optimality, root * root, 1e-3);
  }
  const auto iterations = [&](double omega) {
    return SuccessiveOverRelaxation(a, b, omega, Precise()).value().summary.iterations;
  };
  EXPECT_LT(iterations(best), iterations(best - 0.15));
  EXPECT_LT(iterations(best), iterations(best + 0.15));
  EXPECT_LT(4 * iterations(best), iterations(1));
}

TEST(RelaxationSolversTest, OverRelaxationSpeedsConjugateGradientsUp) {
  const SparseMatrix a = Laplacian();
  const at::Tensor b = Numbers({a.size()}, 0.4), exact = at::linalg_solve(Dense(a), b);
  const LinearSolution plain =
      ConjugateGradient([&](const at::Tensor& v) { return a.Multiply(v); }, b, Precise()).value();
  const LinearSolution solution = OverRelaxedConjugateGradient(a, b, 1.5, Precise()).value();
  EXPECT_TRUE(solution.summary.converged()) << solution.summary.FullReport();
  EXPECT_LT(Difference(solution.x, exact), 1e-8);
  EXPECT_LT(solution.summary.iterations, plain.summary.iterations);
}

TEST(RelaxationSolversTest, EndsAsToldTo) {
  const SparseMatrix a = Laplacian();
  const at::Tensor b = Numbers({a.size()}, 0.4);
  const LinearSolution zero = SuccessiveOverRelaxation(a, 0 * b, 1.5, Precise()).value();
  EXPECT_TRUE(zero.summary.converged());
  EXPECT_EQ(zero.summary.iterations, 0);
  LinearSolverOptions options = Precise();
  options.mutable_stop()->set_max_iterations(3);
  EXPECT_EQ(SuccessiveOverRelaxation(a, b, 1.5, options).value().summary.termination,
            Termination::kMaxIterations);
  const LinearSolution diverging =
      SuccessiveOverRelaxation(a.Shifted(-3.5).value(), b, 1.5, Precise()).value();
  EXPECT_EQ(diverging.summary.termination, Termination::kNumericalFailure);
  EXPECT_THAT(diverging.summary.reason, HasSubstr("diverges"));
}

TEST(RelaxationSolversTest, SaysWhatIsWrong) {
  const SparseMatrix a = Laplacian();
  const at::Tensor b = Numbers({a.size()}, 0.4);
  EXPECT_THAT(SuccessiveOverRelaxation(a, b, 2, Precise()).status().message(), HasSubstr("omega 2"));
  EXPECT_THAT(OverRelaxedConjugateGradient(a, b, 0, Precise()).status().message(), HasSubstr("omega 0"));
  EXPECT_THAT(SuccessiveOverRelaxation(a, b[0], 1, Precise()).status().message(), HasSubstr("b: shape"));
  EXPECT_THAT(a.Shifted(-4).status().message(), HasSubstr("element (0, 0) is 0"));
  EXPECT_THAT(SparseMatrix::FromEntries(2, {{0, 2, 1}}).status().message(), HasSubstr("entry (0, 2)"));
  EXPECT_THAT(SparseMatrix::FromDense(at::ones({2, 3}, at::kDouble)).status().message(),
              HasSubstr("matrix: shape [2, 3]"));
}

}  // namespace
}  // namespace plumb
