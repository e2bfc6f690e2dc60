#include "optim/implicit/implicit_differentiation.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <stdexcept>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"
#include "optim/implicit/stationary.h"

namespace plumb {
namespace {

using testing::HasSubstr;

constexpr ImplicitSolver kSolvers[] = {ImplicitSolver::kConjugateGradient,
                                       ImplicitSolver::kNormalConjugateGradient, ImplicitSolver::kBiCgStab,
                                       ImplicitSolver::kGmres};

ImplicitOptions Precise(ImplicitSolver solver) {
  ImplicitOptions options;
  options.solver = solver;
  options.linear.set_relative_tolerance(1e-12);
  return options;
}

// |X w - y|^2 / 2 + l |w|^2 / 2; theta = {X, y, l}.
at::Tensor Ridge(const at::Tensor& w, const Parameters& theta) {
  return (at::mv(theta[0], w) - theta[1]).square().sum() / 2 + theta[2] * w.square().sum() / 2;
}
Parameters RidgeData() {
  return {Numbers({12, 5}, 0.1), Numbers({12}, 0.3), at::zeros({}, at::kDouble) + 0.7};
}
at::Tensor RidgeHessian(const Parameters& theta) {
  return at::mm(theta[0].t(), theta[0]) + theta[2] * at::eye(5, at::kDouble);
}
at::Tensor RidgeSolution(const Parameters& theta) {
  return at::linalg_solve(RidgeHessian(theta), at::mv(theta[0].t(), theta[1]));
}

// Closed forms, with A = X'X + l I: dw/dl = -A^-1 w, dw/dy = A^-1 X'.
TEST(ImplicitDifferentiationTest, RidgeRegressionHasAClosedForm) {
  const Parameters theta = RidgeData();
  const at::Tensor w = RidgeSolution(theta), cotangent = Numbers({5}, 0.9);
  const at::Tensor solved = at::linalg_solve(RidgeHessian(theta), cotangent);
  for (const ImplicitSolver solver : kSolvers) {
    const auto vjp = ImplicitVjp(StationaryCondition(Ridge), w, theta, cotangent, Precise(solver)).value();
    EXPECT_TRUE(vjp.summary.converged()) << vjp.summary.FullReport();
    EXPECT_LT(Difference(vjp.gradients[2], -(solved * w).sum()), 1e-10);
    EXPECT_LT(Difference(vjp.gradients[1], at::mv(theta[0], solved)), 1e-10);
    const Parameters tangent = {at::zeros({12, 5}, at::kDouble), Numbers({12}, 0.2),
                                at::zeros({}, at::kDouble) + 0.5};
    const auto jvp = ImplicitJvp(StationaryCondition(Ridge), w, theta, tangent, Precise(solver)).value();
    const at::Tensor expected =
        at::linalg_solve(RidgeHessian(theta), at::mv(theta[0].t(), tangent[1]) - 0.5 * w);
    EXPECT_TRUE(jvp.summary.converged()) << jvp.summary.FullReport();
    EXPECT_LT(Difference(jvp.tangent, expected), 1e-10);
    // The derivative by X, against that of the closed form by autograd.
    const at::Tensor data = theta[0].clone().requires_grad_(true);
    const at::Tensor by_formula = RidgeSolution({data, theta[1], theta[2]});
    EXPECT_LT(Difference(vjp.gradients[0], torch::autograd::grad({by_formula}, {data}, {cotangent})[0]),
              1e-10);
  }
}

// Logistic regression with a regularization of its own for each weight, exp(theta_i), by Newton's method.
const at::Tensor& Inputs() {
  static const auto& inputs = *new at::Tensor(Numbers({20, 4}, 0.5, 2));
  return inputs;
}
const at::Tensor& Labels() {
  static const auto& labels =
      *new at::Tensor((at::mv(Inputs(), Numbers({4}, 0.4)) + Numbers({20}, 0.7) > 0).to(at::kDouble) * 2 - 1);
  return labels;
}
at::Tensor Logistic(const at::Tensor& w, const Parameters& theta) {
  return at::softplus(-Labels() * at::mv(Inputs(), w)).sum() + (at::exp(theta[0]) * w.square()).sum() / 2;
}
at::Tensor LogisticSolution(const at::Tensor& theta) {
  at::Tensor w = at::zeros({4}, at::kDouble);
  for (int step = 0; step < 50; ++step) {
    const at::Tensor p = at::sigmoid(-Labels() * at::mv(Inputs(), w));
    const at::Tensor gradient = at::mv(Inputs().t(), -Labels() * p) + at::exp(theta) * w;
    const at::Tensor hessian =
        at::mm(Inputs().t(), (p * (1 - p)).unsqueeze(1) * Inputs()) + at::diag(at::exp(theta));
    w = w - at::linalg_solve(hessian, gradient);
  }
  return w;
}

TEST(ImplicitDifferentiationTest, AgreesWithFiniteDifferences) {
  const at::Tensor theta = Numbers({4}, 0.8), w = LogisticSolution(theta), cotangent = Numbers({4}, 0.2);
  const at::Tensor tangent = Numbers({4}, 0.6);
  const at::Tensor moved =
      (LogisticSolution(theta + 1e-5 * tangent) - LogisticSolution(theta - 1e-5 * tangent)) / 2e-5;
  for (const ImplicitSolver solver : kSolvers) {
    const auto vjp =
        ImplicitVjp(StationaryCondition(Logistic), w, {theta}, cotangent, Precise(solver)).value();
    const auto jvp =
        ImplicitJvp(StationaryCondition(Logistic), w, {theta}, {tangent}, Precise(solver)).value();
    EXPECT_LT(Difference(jvp.tangent, moved), 1e-9);
    EXPECT_NEAR((vjp.gradients[0] * tangent).sum().item<double>(), (cotangent * moved).sum().item<double>(),
                1e-9);
  }
}

// The gradient through all steps of gradient descent tends to the implicit one.
TEST(ImplicitDifferentiationTest, AgreesWithUnrolling) {
  const Parameters data = RidgeData();
  const at::Tensor l = data[2].clone().requires_grad_(true);
  at::Tensor w = at::zeros({5}, at::kDouble);
  for (int step = 0; step < 2000; ++step) {
    w = w - 0.03 * (at::mv(data[0].t(), at::mv(data[0], w) - data[1]) + l * w);
  }
  const at::Tensor cotangent = Numbers({5}, 0.9);
  const at::Tensor unrolled = torch::autograd::grad({w}, {l}, {cotangent})[0];
  const auto vjp = ImplicitVjp(StationaryCondition(Ridge), w.detach(), data, cotangent,
                               Precise(ImplicitSolver::kConjugateGradient))
                       .value();
  EXPECT_LT(Difference(vjp.gradients[2], unrolled), 1e-9);
}

// Theorem 1: the error of the product is of the size of the error of the solution.
TEST(ImplicitDifferentiationTest, ErrorsAreThoseOfTheSolution) {
  const at::Tensor theta = Numbers({4}, 0.8), w = LogisticSolution(theta), off = Numbers({4}, 0.1);
  const auto gradient = [&](double error) {
    return ImplicitVjp(StationaryCondition(Logistic), w + error * off, {theta}, Numbers({4}, 0.2),
                       Precise(ImplicitSolver::kConjugateGradient))
        .value()
        .gradients[0];
  };
  const double large = Difference(gradient(1e-2), gradient(0)),
               small = Difference(gradient(1e-3), gradient(0));
  EXPECT_NEAR(large / small, 10, 1);
}

// A map that is neither symmetric nor square in theta.
at::Tensor Twisted(const at::Tensor& x, const Parameters& theta) {
  return at::mv(theta[0], x) + (x * x.roll(1)) - at::exp(theta[1].sum() * x);
}

TEST(LinearizedConditionTest, ProductsAreDirectionalDerivatives) {
  const at::Tensor x = Numbers({3}, 0.1), v = Numbers({3}, 0.5), u = Numbers({3}, 0.7);
  const Parameters theta = {Numbers({3, 3}, 0.2), Numbers({2}, 0.3)},
                   direction = {Numbers({3, 3}, 0.4), Numbers({2}, 0.9)};
  LinearizedCondition linear = LinearizedCondition::At(Twisted, x, theta).value();
  EXPECT_LT(Difference(linear.value(), Twisted(x, theta)), 1e-15);
  EXPECT_FALSE(linear.value().requires_grad());
  constexpr double kStep = 1e-6;
  const at::Tensor in_x = (Twisted(x + kStep * v, theta) - Twisted(x - kStep * v, theta)) / (2 * kStep);
  const auto moved = [&](double step) {
    return Twisted(x, {theta[0] + step * direction[0], theta[1] + step * direction[1]});
  };
  const at::Tensor in_theta = (moved(kStep) - moved(-kStep)) / (2 * kStep);
  EXPECT_LT(Difference(linear.InX(v), in_x), 1e-9);
  EXPECT_LT(Difference(linear.InTheta(direction), in_theta), 1e-9);
  EXPECT_NEAR((linear.InXTransposed(u) * v).sum().item<double>(), (u * in_x).sum().item<double>(), 1e-9);
  const Parameters transposed = linear.InThetaTransposed(u);
  EXPECT_NEAR(((transposed[0] * direction[0]).sum() + (transposed[1] * direction[1]).sum()).item<double>(),
              (u * in_theta).sum().item<double>(), 1e-9);
}

TEST(WithImplicitGradientTest, TakesPartInAGraph) {
  const at::Tensor theta = Numbers({4}, 0.8).requires_grad_(true);
  ExpectGradientsAreFiniteDifferences({theta}, [&] {
    const at::Tensor scaled = 1.5 * theta;
    at::Tensor solution;
    {
      const at::NoGradGuard no_grad;
      solution = LogisticSolution(scaled);
    }
    const at::Tensor w = WithImplicitGradient(StationaryCondition(Logistic), solution, {scaled},
                                              Precise(ImplicitSolver::kConjugateGradient));
    return w.square() + theta;
  });
  EXPECT_FALSE(WithImplicitGradient(StationaryCondition(Logistic), Numbers({4}, 0), {Numbers({4}, 0)})
                   .requires_grad());
}

TEST(WithImplicitGradientTest, ThrowsWhereTheSystemIsNotSolved) {
  const at::Tensor theta = Numbers({4}, 0.8).requires_grad_(true);
  const ParametricObjective concave = [](const at::Tensor& x, const Parameters& parameters) {
    return (parameters[0] * x - x.square()).sum();
  };
  const at::Tensor x = WithImplicitGradient(StationaryCondition(concave), theta / 2, {theta},
                                            Precise(ImplicitSolver::kConjugateGradient));
  EXPECT_THAT([&] { torch::autograd::grad({x.sum()}, {theta}); },
              testing::ThrowsMessage<std::exception>(HasSubstr("A must be positive definite")));
}

TEST(ImplicitDifferentiationTest, SaysWhatIsWrong) {
  const at::Tensor x = Numbers({3}, 0.1);
  const OptimalityCondition shorter = [](const at::Tensor& x, const Parameters&) {
    return x.narrow(0, 0, 2);
  };
  EXPECT_THAT(ImplicitVjp(shorter, x, {x}, x).status().message(),
              HasSubstr("optimality condition: shape [2], expected [3]"));
  const OptimalityCondition broken = [](const at::Tensor&, const Parameters&) -> at::Tensor {
    throw std::runtime_error("no such thing");
  };
  EXPECT_THAT(ImplicitVjp(broken, x, {x}, x).status().message(), HasSubstr("threw: no such thing"));
  const OptimalityCondition identity = [](const at::Tensor& x, const Parameters& theta) {
    return x - theta[0];
  };
  EXPECT_THAT(ImplicitVjp(identity, x, {x}, Numbers({2}, 0)).status().message(), HasSubstr("cotangent"));
  EXPECT_THAT(ImplicitJvp(identity, x, {x}, {}).status().message(), HasSubstr("0 tensors, expected 1"));
  EXPECT_THAT(ImplicitJvp(identity, x, {x}, {Numbers({2}, 0)}).status().message(), HasSubstr("tangent[0]"));
  // Parameters that do not matter have zero gradients.
  const Parameters gradients = ImplicitVjp(identity, x, {x, Numbers({7}, 0)}, x)->gradients;
  EXPECT_LT(Difference(gradients[0], x), 1e-12);
  EXPECT_EQ(Difference(gradients[1], at::zeros({7}, at::kDouble)), 0);
}

}  // namespace
}  // namespace plumb
