#include "optim/zeroth_order/gradient_estimates.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

double Quadratic(const at::Tensor& x) { return x.square().sum().item<double>(); }

// Of sum x_i^2 a forward difference is 2 x_i + mu, exactly.
TEST(CoordinateGradientTest, IsTheForwardDifference) {
  const at::Tensor x = Numbers({5}, 0.1);
  EXPECT_LT(Difference(CoordinateGradient(Quadratic, x, 0.01), 2 * x + 0.01), 1e-12);
  int evaluations = 0;
  const at::Tensor some = CoordinateGradient(
      [&](const at::Tensor& y) {
        ++evaluations;
        return Quadratic(y);
      },
      x, 0.01, {1, 3});
  EXPECT_EQ(evaluations, 3);
  EXPECT_LT(Difference(some, (2 * x + 0.01) * at::tensor({0.0, 1.0, 0.0, 1.0, 0.0}, at::kDouble)), 1e-12);
}

// Unbiased: the mean of many is the gradient. A single direction has E |g|^2 = (d + 2) |gradient|^2 on a
// linear function.
TEST(RandomizedGradientTest, IsUnbiasedWithAVarianceThatGrowsWithTheDimension) {
  const at::Tensor a = Numbers({10}, 0.3), x = Numbers({10}, 0.1);
  const auto linear = [&](const at::Tensor& y) { return (a * y).sum().item<double>(); };
  const at::Tensor mean = RandomizedGradient(linear, x, 0.1, 20000, RandomStream(1, "z"));
  EXPECT_LT(Difference(mean, a), 0.06);
  double squared = 0;
  for (int64_t i = 0; i < 5000; ++i) {
    squared += Quadratic(RandomizedGradient(linear, x, 0.1, 1, RandomStream(2, "z").Child(i))) / 5000;
  }
  EXPECT_NEAR(squared / Quadratic(a), 12, 1);
}

TEST(TwoPointGradientTest, IsTheDerivativeAlongTheSeedsDirection) {
  at::Tensor a = Numbers({3, 2}, 0.1), b = Numbers({4}, 0.2);
  const std::vector<NamedParameter> parameters = {{"a", a}, {"b", b}};
  const at::Tensor before = a.clone();
  const RandomStream direction(1, "z");
  const auto objective = [&] { return Quadratic(a) + Quadratic(b); };
  const auto gradient = TwoPointGradient(parameters, 1e-3, direction, objective).value();
  const auto z = [&](const std::string& name, const at::Tensor& like) {
    return direction.Child(name).NormalTensor(like.sizes(), at::kDouble);
  };
  const double expected = (2 * a * z("a", a)).sum().item<double>() + (2 * b * z("b", b)).sum().item<double>();
  EXPECT_NEAR(gradient.derivative, expected, 1e-9);
  EXPECT_LT(Difference(a, before), 1e-15);
  MoveAlong(parameters, gradient.direction, -0.5 * gradient.derivative);
  EXPECT_LT(Difference(a, before - 0.5 * gradient.derivative * z("a", a)), 1e-15);
}

TEST(TwoPointGradientTest, Descends) {
  at::Tensor weights = at::full({20}, 1.0);
  const std::vector<NamedParameter> parameters = {{"w", weights}};
  for (int64_t step = 0; step < 300; ++step) {
    const auto gradient = TwoPointGradient(parameters, 1e-3, RandomStream(1, "z").Child(step),
                                           [&] { return Quadratic(weights); });
    MoveAlong(parameters, gradient.value().direction, -0.02 * gradient.value().derivative);
  }
  EXPECT_LT(Quadratic(weights), 0.1);
}

TEST(TwoPointGradientTest, AFailedObjectiveLeavesTheParameters) {
  at::Tensor weights = Numbers({20}, 0.1);
  const at::Tensor before = weights.clone();
  const auto result =
      TwoPointGradient({{"w", weights}}, 0.1, RandomStream(1, "z"), [] { return std::nan(""); });
  EXPECT_THAT(result.status().message(), HasSubstr("the objective is nan"));
  EXPECT_LT(Difference(weights, before), 1e-15);
}

}  // namespace
}  // namespace plumb
