#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(Bco, ClassifiesRewardsShiftedByTheirMean) {
  PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("bco { beta: 0.3 }");
  EXPECT_EQ(objective.traits().baseline, Baseline::kRunningMean);
  for (int turn = 0; turn < 2; ++turn) {
    ExpectLosses(objective, logps, [&](int64_t i) {
      const double reward = 0.3 * (At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i));
      const double delta = 0.3 * At(logps.baseline, i);
      return At(logps.label, i) == 1 ? -LogSigmoid(reward - delta) : -LogSigmoid(-(reward - delta));
    });
    logps.label = 1 - logps.label;  // so that each extreme is good once and bad once
  }
}

TEST(Bco, Gradients) { ExpectGradients(MakeObjective("bco {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
