#include "optim/implicit/projected_gradient.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/kernels/gradient_testing.h"
#include "optim/implicit/mirror_descent.h"
#include "optim/implicit/projections.h"

namespace plumb {
namespace {

at::Tensor Number(double value) { return at::zeros({}, at::kDouble) + value; }

// Each a nearest point of its set: feasible, and no feasible direction leads closer.
TEST(ProjectionsTest, AreNearestPoints) {
  for (int trial = 0; trial < 20; ++trial) {
    const at::Tensor y = Numbers({2, 5}, trial, 0.3 * trial);
    const at::Tensor simplex = ProjectOntoSimplex(y, 2);
    EXPECT_LT(Difference(simplex.sum(1), at::full({2}, 2.0, at::kDouble)), 1e-12);
    EXPECT_GE(simplex.min().item<double>(), 0);
    const at::Tensor ball = ProjectOntoBall(y, Number(1.5)),
                     box = ProjectOntoBox(y, Number(-0.5), Number(0.25));
    EXPECT_LE(ball.norm(2, 1).max().item<double>(), 1.5 + 1e-12);
    for (int other = 0; other < 20; ++other) {
      const at::Tensor in_simplex =
          2 * Numbers({2, 5}, other).abs() / Numbers({2, 5}, other).abs().sum(1, true);
      EXPECT_LE(((y - simplex) * (in_simplex - simplex)).sum(1).max().item<double>(), 1e-12);
      const at::Tensor in_ball =
          1.5 * Numbers({2, 5}, other) / Numbers({2, 5}, other).norm(2, 1).unsqueeze(1);
      EXPECT_LE(((y - ball) * (in_ball - ball)).sum(1).max().item<double>(), 1e-12);
      const at::Tensor in_box = Numbers({2, 5}, other, 0.375) - 0.125;
      EXPECT_LE(((y - box) * (in_box - box)).sum(1).max().item<double>(), 1e-12);
    }
    // A self-dual cone: p is in it, p - y too, and they are orthogonal (Moreau).
    const at::Tensor p = ProjectOntoSecondOrderCone(y[0]), rest = p - y[0];
    for (const at::Tensor& point : {p, rest}) {
      EXPECT_GE(point[0].item<double>(), point.narrow(0, 1, 4).norm().item<double>() - 1e-12);
    }
    EXPECT_NEAR((p * rest).sum().item<double>(), 0, 1e-12);
  }
}

TEST(ProjectionsTest, GradientsAreFiniteDifferences) {
  const at::Tensor y = Numbers({2, 5}, 0.4, 1.5).requires_grad_(true),
                   radius = Number(1.2).requires_grad_(true);
  ExpectGradientsAreFiniteDifferences({y}, [&] { return ProjectOntoSimplex(y, 2); });
  ExpectGradientsAreFiniteDifferences({y, radius}, [&] { return ProjectOntoBall(y, radius); });
  for (const double phase : {0.1, 0.5, 2.0, 3.5}) {
    const at::Tensor v = Numbers({4}, phase).requires_grad_(true);
    ExpectGradientsAreFiniteDifferences({v}, [&] { return ProjectOntoSecondOrderCone(v) + 0 * v; });
  }
}

// Weights on the simplex that mix columns of a matrix to fit a target: theta = {target}.
const at::Tensor& Columns() {
  static const auto& columns = *new at::Tensor(Numbers({8, 5}, 0.2));
  return columns;
}
at::Tensor Mixture(const at::Tensor& x, const Parameters& theta) {
  return (at::mv(Columns(), x) - theta[0]).square().sum() / 2;
}
at::Tensor OntoSimplex(const at::Tensor& y, const Parameters&) { return ProjectOntoSimplex(y); }

at::Tensor Solve(const FixedPointMap& map, const Parameters& theta) {
  const at::NoGradGuard no_grad;
  at::Tensor x = at::full({5}, 0.2, at::kDouble);
  for (int step = 0; step < 5000; ++step) x = map(x, theta);
  return x;
}

ImplicitOptions Normal() {
  ImplicitOptions options;
  options.linear.set_relative_tolerance(1e-12);
  return options;
}

TEST(ProjectedGradientTest, SimplexWeightsAgreeWithFiniteDifferences) {
  const FixedPointMap map = ProjectedGradientMap(Mixture, OntoSimplex, 0.1);
  const at::Tensor target = at::mv(Columns(), at::full({5}, 0.2, at::kDouble)) + Numbers({8}, 0.9, 0.4);
  const at::Tensor x = Solve(map, {target});
  ASSERT_EQ(x.min().item<double>(), 0);  // some constraints are active
  const at::Tensor tangent = Numbers({8}, 0.7);
  const at::Tensor expected =
      (Solve(map, {target + 1e-5 * tangent}) - Solve(map, {target - 1e-5 * tangent})) / 2e-5;
  const auto condition = ProjectedGradientCondition(Mixture, OntoSimplex, 0.5);
  const auto jvp = ImplicitJvp(condition, x, {target}, {tangent}, Normal()).value();
  EXPECT_TRUE(jvp.summary.converged()) << jvp.summary.FullReport();
  EXPECT_LT(Difference(jvp.tangent, expected), 1e-8);
  const auto vjp = ImplicitVjp(condition, x, {target}, Numbers({5}, 0.1), Normal()).value();
  EXPECT_LT(Difference((vjp.gradients[0] * tangent).sum(), (Numbers({5}, 0.1) * expected).sum()), 1e-8);
}

// The set may depend on theta: |x - center|^2 over a ball of radius r is solved by r center / |center|.
TEST(ProjectedGradientTest, TheRadiusOfABallHasAClosedForm) {
  const ParametricObjective distance = [](const at::Tensor& x, const Parameters& theta) {
    return (x - theta[0]).square().sum() / 2;
  };
  const Projection onto_ball = [](const at::Tensor& y, const Parameters& theta) {
    return ProjectOntoBall(y, theta[1]);
  };
  const at::Tensor center = Numbers({3}, 0.3, 4), direction = center / center.norm();
  const Parameters theta = {center, Number(1.5)};
  const auto condition = ProjectedGradientCondition(distance, onto_ball, 0.5);
  const at::Tensor cotangent = Numbers({3}, 0.6);
  const auto vjp = ImplicitVjp(condition, 1.5 * direction, theta, cotangent, Normal()).value();
  EXPECT_LT(Difference(vjp.gradients[1], (cotangent * direction).sum()), 1e-10);
  EXPECT_LT(Difference(vjp.gradients[0],
                       1.5 / center.norm() * (cotangent - direction * (cotangent * direction).sum())),
            1e-10);
}

// f = <c, x> + entropy has the solution softmax(-c): interior, so that both geometries have it as their fixed
// point and give the same derivatives.
TEST(MirrorDescentTest, SoftmaxHasAClosedForm) {
  const ParametricObjective entropic = [](const at::Tensor& x, const Parameters& theta) {
    return (theta[0] * x + x * x.log()).sum();
  };
  const at::Tensor c = Numbers({6}, 0.2, 2), x = (-c.view({2, 3})).softmax(1).flatten();
  const at::Tensor cotangent = Numbers({6}, 0.5);
  const at::Tensor rows = x.view({2, 3}), weights = cotangent.view({2, 3});
  const at::Tensor expected = (-rows * (weights - (weights * rows).sum(1, true))).flatten();
  const MirrorMap euclidean = EuclideanGeometry([](const at::Tensor& y, const Parameters&) {
    return ProjectOntoSimplex(y.view({2, 3})).flatten();
  });
  for (const MirrorMap& geometry : {KullbackLeiblerGeometry(3), euclidean}) {
    const auto condition = MirrorDescentCondition(entropic, geometry, 0.02);
    EXPECT_LT(LinearizedCondition::At(condition, x, {c})->value().abs().max().item<double>(), 1e-12);
    const auto vjp = ImplicitVjp(condition, x, {c}, cotangent, Normal()).value();
    EXPECT_TRUE(vjp.summary.converged()) << vjp.summary.FullReport();
    EXPECT_LT(Difference(vjp.gradients[0], expected), 1e-9);
    const auto jvp = ImplicitJvp(condition, x, {c}, {cotangent}, Normal()).value();
    EXPECT_LT(Difference(jvp.tangent, expected), 1e-9);  // the Jacobian is symmetric
  }
}

}  // namespace
}  // namespace plumb
