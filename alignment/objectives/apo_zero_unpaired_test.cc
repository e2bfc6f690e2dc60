#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(ApoZeroUnpaired, IsAnchoredAtZero) {
  PreferenceLogps logps = TestPairs();
  const Objective objective =
      MakeObjective("apo_zero_unpaired { beta: 0.3 desirable_weight: 1.5 undesirable_weight: 0.7 }");
  EXPECT_EQ(objective.traits().baseline, Baseline::kNone);
  for (int turn = 0; turn < 2; ++turn) {
    ExpectLosses(objective, logps, [&](int64_t i) {
      const double reward = 0.3 * (At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i));
      return At(logps.label, i) == 1 ? 1.5 * std::exp(LogSigmoid(-reward))
                                     : 0.7 * std::exp(LogSigmoid(reward));
    });
    logps.label = 1 - logps.label;  // so that each extreme is good once and bad once
  }
}

TEST(ApoZeroUnpaired, Gradients) { ExpectGradients(MakeObjective("apo_zero_unpaired {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
