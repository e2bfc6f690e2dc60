#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log-ratio of policy to reference of the chosen answer less that of the rejected one.
double LogRatioDifference(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i) -
         (At(logps.policy_rejected_logps, i) - At(logps.reference_rejected_logps, i));
}

double ScoreDifference(const PreferenceLogps& logps, int64_t i, int64_t k) {
  return At(logps.score_chosen[i], k) - At(logps.score_rejected[i], k);
}

TEST(Modpo, TheOtherObjectivesShiftTheMargin) {
  const PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("modpo { beta: 0.3 weight: 0.6 other_weight: [0.3, 0.1] }");
  EXPECT_EQ(objective.traits().score_count, 2);
  ExpectLosses(objective, logps, [&](int64_t i) {
    const double others = 0.3 * ScoreDifference(logps, i, 0) + 0.1 * ScoreDifference(logps, i, 1);
    return -LogSigmoid((0.3 * LogRatioDifference(logps, i) - others) / 0.6);
  });
}

TEST(Modpo, TheOthersShareWhatIsLeft) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("modpo { weight: 0.8 }"), logps, [&](int64_t i) {
    const double others = 0.1 * ScoreDifference(logps, i, 0) + 0.1 * ScoreDifference(logps, i, 1);
    return -LogSigmoid((0.1 * LogRatioDifference(logps, i) - others) / 0.8);
  });
}

TEST(Modpo, AloneItIsDpo) {
  const PreferenceLogps logps = TestPairs();
  const at::Tensor dpo = MakeObjective("dpo { beta: 0.3 }").Compute(logps).loss;
  ExpectLosses(MakeObjective("modpo { beta: 0.3 weight: 1 }"), logps, [&](int64_t i) { return At(dpo, i); });
}

TEST(Modpo, RewardsAreTheImplicitOnes) {
  const PreferenceLogps logps = TestPairs();
  const LossOutput output = MakeObjective("modpo {}").Compute(logps);
  for (int64_t i = 0; i < 10; ++i) {
    const double log_ratio = At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i);
    const double others = 0.25 * (At(logps.score_chosen[i], 0) + At(logps.score_chosen[i], 1));
    EXPECT_NEAR(At(output.rewards_chosen, i), (0.1 * log_ratio - others) / 0.5,
                1e-12 * (1 + std::abs(log_ratio)));
  }
}

TEST(Modpo, Gradients) {
  ExpectGradients(MakeObjective("modpo {}"), TestPairs());
  ExpectGradients(MakeObjective("modpo { weight: 0.2 other_weight: [0.5, 0.3] }"), TestPairs());
}

}  // namespace
}  // namespace plumb
