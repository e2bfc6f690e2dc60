#include <gtest/gtest.h>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Sum of the i-th answer's log-ratios of policy to reference where the mask is 1.
double MaskedLogRatio(const at::Tensor& policy, const at::Tensor& reference, const at::Tensor& mask,
                      const at::Tensor& lengths, int64_t i) {
  int64_t t = 0;
  for (int64_t j = 0; j < i; ++j) t += static_cast<int64_t>(At(lengths, j));
  double sum = 0;
  for (const int64_t end = t + static_cast<int64_t>(At(lengths, i)); t < end; ++t) {
    if (At(mask, t) == 1) sum += At(policy, t) - At(reference, t);
  }
  return sum;
}
double Chosen(const PreferenceLogps& logps, int64_t i) {
  return MaskedLogRatio(logps.policy_chosen_token_logps, logps.reference_chosen_token_logps,
                        logps.chosen_token_mask, logps.chosen_length, i);
}
double Rejected(const PreferenceLogps& logps, int64_t i) {
  return MaskedLogRatio(logps.policy_rejected_token_logps, logps.reference_rejected_token_logps,
                        logps.rejected_token_mask, logps.rejected_length, i);
}

TEST(MaskDpo, LooksAtTheTokensThatCount) {
  const PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("mask_dpo { beta: 0.3 }");
  ExpectLosses(objective, logps,
               [&](int64_t i) { return -LogSigmoid(0.3 * (Chosen(logps, i) - Rejected(logps, i))); });
  const LossOutput output = objective.Compute(logps);
  EXPECT_NEAR(At(output.rewards_chosen, 8), 0.3 * Chosen(logps, 8), 1e-10);
  EXPECT_NEAR(At(output.rewards_rejected, 8), 0.3 * Rejected(logps, 8), 1e-10);
}

TEST(MaskDpo, WhereAllCountItIsDpo) {
  PreferenceLogps logps = TestPairs();
  logps.chosen_token_mask.fill_(1);
  logps.rejected_token_mask.fill_(1);
  const at::Tensor dpo = MakeObjective("dpo {}").Compute(logps).loss;
  const at::Tensor masked = MakeObjective("mask_dpo {}").Compute(logps).loss;
  for (int64_t i = 0; i < dpo.size(0); ++i) EXPECT_NEAR(At(masked, i), At(dpo, i), 1e-9 * (1 + At(dpo, i)));
}

TEST(MaskDpo, WhereNoneCountsNothingIsLearnt) {
  PreferenceLogps logps = TestPairs();
  logps.chosen_token_mask.zero_();
  logps.rejected_token_mask.zero_();
  ExpectLosses(MakeObjective("mask_dpo {}"), logps, [](int64_t) { return -LogSigmoid(0); });
}

TEST(MaskDpo, Gradients) { ExpectGradients(MakeObjective("mask_dpo {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
