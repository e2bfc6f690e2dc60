#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log-ratios of policy to reference.
double Chosen(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) - At(logps.reference_chosen_logps, i);
}
double Rejected(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_rejected_logps, i) - At(logps.reference_rejected_logps, i);
}
double Difference(const PreferenceLogps& logps, int64_t i) { return Chosen(logps, i) - Rejected(logps, i); }

TEST(RobustDpo, IsTheUnbiasedEstimate) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("robust_dpo { beta: 0.3 label_smoothing: 0.2 }"), logps, [&](int64_t i) {
    const double logit = 0.3 * Difference(logps, i);
    return (-0.8 * LogSigmoid(logit) + 0.2 * LogSigmoid(-logit)) / 0.6;
  });
}

// Averaged over labels flipped with probability e, the loss is that of DPO with the true labels.
TEST(RobustDpo, IsUnbiased) {
  const PreferenceLogps logps = TestPairs();
  PreferenceLogps flipped = logps;
  std::swap(flipped.policy_chosen_logps, flipped.policy_rejected_logps);
  std::swap(flipped.reference_chosen_logps, flipped.reference_rejected_logps);
  const Objective robust = MakeObjective("robust_dpo { label_smoothing: 0.1 }");
  const at::Tensor as_labelled = robust.Compute(logps).loss;
  const at::Tensor as_flipped = robust.Compute(flipped).loss;
  for (int64_t i = 8; i < as_labelled.size(0); ++i) {
    EXPECT_NEAR(0.9 * At(as_labelled, i) + 0.1 * At(as_flipped, i), -LogSigmoid(0.1 * Difference(logps, i)),
                1e-12);
  }
}

TEST(RobustDpo, Gradients) { ExpectGradients(MakeObjective("robust_dpo {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
