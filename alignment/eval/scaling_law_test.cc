#include "alignment/eval/scaling_law.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/tensor/random.h"

namespace plumb {
namespace {

std::vector<ScalingPoint> Points(double alpha, double beta, double noise, uint64_t seed = 1,
                                 int64_t count = 12) {
  const RandomStream random(seed, "scaling law");
  std::vector<ScalingPoint> points;
  for (int64_t i = 0; i < count; ++i) {
    const double d = 0.3 * (i + 1);
    points.push_back({d * d, d * (alpha - beta * std::log(d)) + noise * random.Normal(i)});
  }
  return points;
}

TEST(ScalingLaw, FindsWhatMadeThePoints) {
  const absl::StatusOr<ScalingLaw> law = FitScalingLaw(Points(1.5, 0.7, 0));
  ASSERT_TRUE(law.ok()) << law.status();
  EXPECT_NEAR(law->alpha.mean, 1.5, 1e-12);
  EXPECT_NEAR(law->beta.mean, 0.7, 1e-12);
  EXPECT_NEAR(law->r_squared, 1, 1e-12);
  // The highest point of the curve.
  const double best = law->BestKl();
  EXPECT_GT(law->Reward(best), law->Reward(best * 0.99));
  EXPECT_GT(law->Reward(best), law->Reward(best * 1.01));
}

TEST(ScalingLaw, IntervalsCoverTheTruth) {
  int alpha = 0, beta = 0;
  constexpr int kRuns = 2000;
  for (int seed = 0; seed < kRuns; ++seed) {
    const absl::StatusOr<ScalingLaw> law = FitScalingLaw(Points(1.5, 0.7, 0.2, seed));
    ASSERT_TRUE(law.ok());
    alpha += law->alpha.low <= 1.5 && 1.5 <= law->alpha.high;
    beta += law->beta.low <= 0.7 && 0.7 <= law->beta.high;
  }
  // 95 % within four standard errors.
  EXPECT_NEAR(alpha / double{kRuns}, 0.95, 0.02);
  EXPECT_NEAR(beta / double{kRuns}, 0.95, 0.02);
}

TEST(ScalingLaw, ThatNeverFallsHasNoBest) {
  EXPECT_TRUE(std::isinf(FitScalingLaw(Points(1, -0.5, 0))->BestKl()));
}

TEST(ScalingLaw, RefusesWhatTellsNothing) {
  EXPECT_FALSE(FitScalingLaw(Points(1, 1, 0, 1, 2)).ok());
  EXPECT_FALSE(FitScalingLaw({{1, 1}, {0, 0}, {2, 1}}).ok());
  EXPECT_FALSE(FitScalingLaw({{2, 1}, {2, 1.5}, {2, 2}}).ok());
  EXPECT_FALSE(FitScalingLaw({{1, 1}, {NAN, 1}, {2, 1}}).ok());
}

}  // namespace
}  // namespace plumb
