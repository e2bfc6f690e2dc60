#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

double AverageGold(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_gold_logps, i) / At(logps.gold_length, i);
}

TEST(Tpo, ComparesTwoAnswersAndLearnsTheThird) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("tpo { beta: 0.3 tpo_alpha: 0.7 }"), logps, [&](int64_t i) {
    const double d = At(logps.policy_chosen_logps, i) - At(logps.policy_rejected_logps, i);
    return -LogSigmoid(0.3 * d) - 0.7 * AverageGold(logps, i);
  });
}

TEST(Tpo, PerTokenWithAMargin) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("tpo { beta: 2 version: TPO_L tpo_l_gamma: 1.5 }"), logps, [&](int64_t i) {
    const double d = At(logps.policy_chosen_logps, i) / At(logps.chosen_length, i) -
                     At(logps.policy_rejected_logps, i) / At(logps.rejected_length, i);
    return -LogSigmoid(2 * d - 1.5) - AverageGold(logps, i);
  });
}

TEST(Tpo, WithoutAlphaItNeedsNoGoldAnswer) {
  PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("tpo { tpo_alpha: 0 }");
  EXPECT_FALSE(objective.traits().needs_gold);
  EXPECT_FALSE(objective.traits().needs_reference);
  logps.policy_gold_logps = logps.gold_length = at::Tensor();
  const at::Tensor dpo = MakeObjective("dpo { beta: 0.01 reference_free: true }").Compute(logps).loss;
  ExpectLosses(objective, logps, [&](int64_t i) { return At(dpo, i); });
}

TEST(Tpo, Gradients) {
  ExpectGradients(MakeObjective("tpo {}"), TestPairs());
  ExpectGradients(MakeObjective("tpo { version: TPO_L }"), TestPairs());
}

}  // namespace
}  // namespace plumb
