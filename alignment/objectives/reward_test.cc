#include "alignment/objectives/reward.h"

#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(Reward, IsBradleyTerryWithTheMarginOfTheData) {
  PreferenceLogps logps = TestPairsWithHugeRewards();
  const Objective objective = MakeObjective("reward {}");
  const auto difference = [&](int64_t i) {
    return At(logps.rewards_chosen, i) - At(logps.rewards_rejected, i);
  };
  const at::Tensor margin = logps.margin;
  ExpectLosses(objective, logps, [&](int64_t i) { return -LogSigmoid(difference(i) - At(margin, i)); });
  logps.margin = at::Tensor();
  ExpectLosses(objective, logps, [&](int64_t i) { return -LogSigmoid(difference(i)); });
}

TEST(Reward, CentersScores) {
  PreferenceLogps logps = TestPairsWithHugeRewards();
  logps.margin = at::Tensor();
  ExpectLosses(MakeObjective("reward { center_rewards_coefficient: 0.01 }"), logps, [&](int64_t i) {
    const double chosen = At(logps.rewards_chosen, i), rejected = At(logps.rewards_rejected, i);
    return -LogSigmoid(chosen - rejected) + 0.01 * (chosen + rejected) * (chosen + rejected);
  });
}

TEST(Reward, Gradients) {
  ExpectGradients(MakeObjective("reward { center_rewards_coefficient: 0.3 }"), TestPairsWithHugeRewards());
}

}  // namespace
}  // namespace plumb
