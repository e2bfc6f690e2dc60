#include "alignment/objectives/dpo.h"

#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log-ratio of policy to reference of the chosen answer less that of the rejected one.
double LogRatioDifference(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i) -
         (At(logps.policy_rejected_logps, i) - At(logps.reference_rejected_logps, i));
}

TEST(Dpo, IsEquation7) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("dpo { beta: 0.3 }"), logps,
               [&](int64_t i) { return -LogSigmoid(0.3 * LogRatioDifference(logps, i)); });
}

TEST(Dpo, LabelSmoothingIsConservativeDpo) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("dpo { label_smoothing: 0.2 }"), logps, [&](int64_t i) {
    const double logit = 0.1 * LogRatioDifference(logps, i);
    return -0.8 * LogSigmoid(logit) - 0.2 * LogSigmoid(-logit);
  });
}

TEST(Dpo, ReferenceFreeLooksAtThePolicyAlone) {
  PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("dpo { reference_free: true }");
  EXPECT_FALSE(objective.traits().needs_reference);
  logps.reference_chosen_logps = logps.reference_rejected_logps = at::Tensor();
  ExpectLosses(objective, logps, [&](int64_t i) {
    return -LogSigmoid(0.1 * (At(logps.policy_chosen_logps, i) - At(logps.policy_rejected_logps, i)));
  });
}

TEST(Dpo, RewardsAreScaledLogRatios) {
  const PreferenceLogps logps = TestPairs();
  const LossOutput output = MakeObjective("dpo { beta: 0.5 }").Compute(logps);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_DOUBLE_EQ(At(output.rewards_chosen, i),
                     0.5 * (At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i)));
    EXPECT_DOUBLE_EQ(At(output.rewards_rejected, i),
                     0.5 * (At(logps.policy_rejected_logps, i) - At(logps.reference_rejected_logps, i)));
  }
}

TEST(Dpo, Gradients) {
  ExpectGradients(MakeObjective("dpo {}"), TestPairs());
  ExpectGradients(MakeObjective("dpo { label_smoothing: 0.1 }"), TestPairs());
  ExpectGradients(MakeObjective("dpo { reference_free: true }"), TestPairs());
}

}  // namespace
}  // namespace plumb
