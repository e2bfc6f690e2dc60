#include "alignment/selection/density_ratio.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "common/testing/testing.h"

namespace plumb {
namespace {

// So many points at 1 and at -1, good ones first.
std::pair<at::Tensor, at::Tensor> Points(int good_high, int good_low, int bad_high, int bad_low) {
  std::vector<double> points, labels;
  const auto add = [&](int count, double point, double label) {
    points.insert(points.end(), count, point);
    labels.insert(labels.end(), count, label);
  };
  add(good_high, 1, 1);
  add(good_low, -1, 1);
  add(bad_high, 1, 0);
  add(bad_low, -1, 0);
  return {at::tensor(points, at::kDouble).unsqueeze(1), at::tensor(labels, at::kDouble)};
}

TEST(DensityRatio, IsTheClassifiersOdds) {
  const auto [points, labels] = Points(30, 10, 10, 30);
  const auto ratios = DensityRatios(points, labels);
  PLUMB_ASSERT_OK(ratios);
  // By symmetry there is no intercept; the slope w is where the loss's derivative is 0, found by halves.
  const auto derivative = [](double w) { return w - 60 / (1 + std::exp(w)) + 20 / (1 + std::exp(-w)); };
  double low = 0, high = 5;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (derivative(middle) < 0 ? low : high) = middle;
  }
  EXPECT_GT(low, 0.5);
  EXPECT_NEAR((*ratios)[0].item<double>(), std::exp(low), 1e-4);
  EXPECT_NEAR((*ratios)[35].item<double>(), std::exp(-low), 1e-4);
  EXPECT_NEAR((*ratios)[45].item<double>(), std::exp(low), 1e-4);
}

TEST(DensityRatio, KindsCountAsMuch) {
  const auto [points, labels] = Points(10, 30, 25, 75);
  const auto ratios = DensityRatios(points, labels);
  PLUMB_ASSERT_OK(ratios);
  EXPECT_LT((*ratios - 1).abs().max().item<double>(), 1e-4);
}

TEST(DensityRatio, NeedsBothKinds) {
  const auto [points, labels] = Points(3, 2, 0, 0);
  EXPECT_EQ(DensityRatios(points, labels).status().message(),
            "expected good and bad answers, found one kind alone");
}

}  // namespace
}  // namespace plumb
