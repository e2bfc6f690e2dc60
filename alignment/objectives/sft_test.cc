#include "alignment/objectives/sft.h"

#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(Sft, IsNegativeLogLikelihoodPerToken) {
  const PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("sft {}");
  EXPECT_TRUE(objective.traits().mean_over_tokens);
  ExpectLosses(objective, logps,
               [&](int64_t i) { return -At(logps.policy_chosen_logps, i) / At(logps.chosen_length, i); });
  EXPECT_FALSE(objective.Compute(logps).rewards_chosen.defined());
}

TEST(Sft, Gradients) { ExpectGradients(MakeObjective("sft {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
