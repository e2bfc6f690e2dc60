#include "optim/core/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Points(std::vector<double> numbers) { return at::tensor(numbers, at::kDouble).view({-1, 1}); }

TEST(EvaluateTest, AutogradGivesEachRowsGradient) {
  OracleCalls calls;
  std::string error;
  const Objective cube = WithAutograd([](const at::Tensor& x) { return x.pow(3).sum(1); });
  const Evaluation result = Evaluate(cube, Points({2, -1, 3}), true, calls, error);
  EXPECT_TRUE(result.values.equal(at::tensor({8.0, -1.0, 27.0}, at::kDouble)));
  EXPECT_TRUE(result.gradients.equal(Points({12, 3, 27})));
  EXPECT_EQ(calls.values, 3);
  EXPECT_EQ(calls.gradients, 3);
  EXPECT_EQ(calls.failed, 0);
  EXPECT_EQ(error, "");
}

TEST(EvaluateTest, WhatIsNotFiniteFailsAlone) {
  OracleCalls calls;
  std::string error;
  const Objective log = WithAutograd([](const at::Tensor& x) { return at::log(x).sum(1); });
  const Evaluation result = Evaluate(log, Points({1, -1, 0}), true, calls, error);
  EXPECT_EQ(result.values[0].item<double>(), 0);
  EXPECT_TRUE(std::isnan(result.values[1].item<double>()));
  EXPECT_TRUE(std::isnan(result.values[2].item<double>()));  // -infinity
  EXPECT_EQ(calls.failed, 2);
  EXPECT_THAT(error, HasSubstr("not finite"));

  // The gradient alone is not finite.
  const Objective root = WithAutograd([](const at::Tensor& x) { return x.sqrt().sum(1); });
  EXPECT_TRUE(std::isnan(Evaluate(root, Points({0}), true, calls, error).values.item<double>()));
  EXPECT_EQ(Evaluate(root, Points({0}), false, calls, error).values.item<double>(), 0);
}

TEST(EvaluateTest, AnErrorOrAnExceptionCostsOnlyItsRow) {
  for (const bool throws : {false, true}) {
    const Objective objective = [throws](const at::Tensor& x) -> absl::StatusOr<Evaluation> {
      if (x.max().item<double>() > 5) {
        if (throws) throw std::runtime_error("too far");
        return absl::OutOfRangeError("too far");
      }
      return Evaluation{x.sum(1), at::full(x.sizes(), 1.0, at::kDouble)};
    };
    OracleCalls calls;
    std::string error;
    const Evaluation result = Evaluate(objective, Points({1, 6, 3}), true, calls, error);
    EXPECT_EQ(result.values[0].item<double>(), 1);
    EXPECT_TRUE(std::isnan(result.values[1].item<double>()));
    EXPECT_EQ(result.values[2].item<double>(), 3);
    EXPECT_EQ(calls.failed, 1);
    EXPECT_EQ(calls.values, 3);
    EXPECT_THAT(error, HasSubstr("too far"));
  }
}

TEST(EvaluateTest, WrongShapesAreTold) {
  OracleCalls calls;
  std::string error;
  const auto message = [&](at::Tensor values, at::Tensor gradients) {
    Evaluate(
        [&](const at::Tensor&) {
          return Evaluation{values, gradients};
        },
        Points({1}), true, calls, error);
    return error;
  };
  EXPECT_THAT(message(at::zeros({2}), at::zeros({1, 1})), HasSubstr("values: shape [2], expected [1]"));
  EXPECT_THAT(message(at::zeros({1}), at::zeros({1})), HasSubstr("gradients: shape [1], expected [1, 1]"));
  EXPECT_THAT(message(at::zeros({1}), {}), HasSubstr("no gradients"));
}

TEST(CheckBoundsTest, FillsInAndRefusesContradictions) {
  at::Tensor lower, upper = at::tensor({1.0, 2.0}, at::kDouble);
  PLUMB_EXPECT_OK(CheckBounds(2, lower, upper));
  EXPECT_EQ(lower[1].item<double>(), -std::numeric_limits<double>::infinity());
  lower = at::tensor({0.0, 3.0}, at::kDouble);
  EXPECT_THAT(CheckBounds(2, lower, upper).message(), HasSubstr("coordinate 1: [3, 2]"));
  lower = at::tensor({0.0, std::nan("")}, at::kDouble);
  EXPECT_FALSE(CheckBounds(2, lower, upper).ok());
  EXPECT_FALSE(CheckBounds(3, lower, upper).ok());
}

}  // namespace
}  // namespace plumb
