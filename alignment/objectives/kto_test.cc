#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log-ratio of policy to reference.
double LogRatio(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i);
}

double Sigmoid(double x) { return std::exp(LogSigmoid(x)); }

TEST(Kto, ValuesGainsAndLossesBesideTheBaseline) {
  PreferenceLogps logps = TestPairs();
  for (int turn = 0; turn < 2; ++turn) {
    ExpectLosses(MakeObjective("kto { beta: 0.3 desirable_weight: 1.5 undesirable_weight: 0.7 }"), logps,
                 [&](int64_t i) {
                   const double gain = 0.3 * (LogRatio(logps, i) - At(logps.baseline, i));
                   return At(logps.label, i) == 1 ? 1.5 * Sigmoid(-gain) : 0.7 * Sigmoid(gain);
                 });
    logps.label = 1 - logps.label;  // so that each extreme is good once and bad once
  }
}

TEST(Kto, AnAnswerAtTheBaselineCostsHalf) {
  PreferenceLogps logps = TestPairs();
  logps.baseline = logps.policy_chosen_logps - logps.reference_chosen_logps;
  ExpectLosses(MakeObjective("kto {}"), logps, [](int64_t) { return 0.5; });
}

TEST(Kto, LearnsFromLabelsAlone) {
  const ObjectiveTraits traits = MakeObjective("kto {}").traits();
  EXPECT_TRUE(traits.needs_label && traits.needs_reference);
  EXPECT_FALSE(traits.needs_rejected);
  EXPECT_EQ(traits.baseline, Baseline::kMismatchedKl);
}

TEST(Kto, RewardsAreScaledLogRatios) {
  const PreferenceLogps logps = TestPairs();
  const LossOutput output = MakeObjective("kto { beta: 0.5 }").Compute(logps);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_DOUBLE_EQ(At(output.rewards_chosen, i), 0.5 * LogRatio(logps, i));
  }
  EXPECT_FALSE(output.rewards_rejected.defined());
}

TEST(Kto, Gradients) {
  ExpectGradients(MakeObjective("kto {}"), TestPairs());
  ExpectGradients(MakeObjective("kto { beta: 0.5 desirable_weight: 2 undesirable_weight: 0.3 }"),
                  TestPairs());
}

}  // namespace
}  // namespace plumb
