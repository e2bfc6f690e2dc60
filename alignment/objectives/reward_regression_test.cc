#include "alignment/objectives/reward_regression.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(RewardRegression, IsTheSquaredDistanceToTheScores) {
  const PreferenceLogps logps = TestPairsWithHugeRewards();
  const auto loss = [&](int64_t i, double first, double second) {
    const auto score = [&](const at::Tensor& scores) {
      return first * At(scores[i], 0) + second * At(scores[i], 1);
    };
    return (std::pow(At(logps.rewards_chosen, i) - score(logps.score_chosen), 2) +
            std::pow(At(logps.rewards_rejected, i) - score(logps.score_rejected), 2)) /
           2;
  };
  ExpectLosses(MakeObjective("reward_regression {}"), logps, [&](int64_t i) { return loss(i, 1, 1); });
  const Objective second = MakeObjective("reward_regression { score_weight: [0, 0.5] }");
  EXPECT_EQ(second.traits().score_count, 2);
  ExpectLosses(second, logps, [&](int64_t i) { return loss(i, 0, 0.5); });
}

TEST(RewardRegression, Gradients) {
  ExpectGradients(MakeObjective("reward_regression { score_weight: [1, 0] }"), TestPairsWithHugeRewards());
}

}  // namespace
}  // namespace plumb
