#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Sum of the i-th answer's log-ratios of policy to reference, those beyond the shorter answer's length times
// `alpha`.
double LogRatio(const PreferenceLogps& logps, bool chosen, double alpha, int64_t i) {
  const at::Tensor& policy = chosen ? logps.policy_chosen_token_logps : logps.policy_rejected_token_logps;
  const at::Tensor& reference =
      chosen ? logps.reference_chosen_token_logps : logps.reference_rejected_token_logps;
  const at::Tensor& lengths = chosen ? logps.chosen_length : logps.rejected_length;
  const double shared = std::min(At(logps.chosen_length, i), At(logps.rejected_length, i));
  int64_t begin = 0;
  for (int64_t j = 0; j < i; ++j) begin += static_cast<int64_t>(At(lengths, j));
  double sum = 0;
  for (int64_t t = 0; t < static_cast<int64_t>(At(lengths, i)); ++t) {
    sum += (static_cast<double>(t) < shared ? 1 : alpha) * (At(policy, begin + t) - At(reference, begin + t));
  }
  return sum;
}

TEST(LdDpo, WeighsWhatGoesBeyondTheShorterAnswer) {
  const PreferenceLogps logps = TestPairs();
  for (const double alpha : {0.0, 0.3, 1.0}) {
    const Objective objective = MakeObjective("ld_dpo { beta: 0.2 ld_alpha: " + std::to_string(alpha) + " }");
    const auto chosen = [&](int64_t i) { return LogRatio(logps, true, alpha, i); };
    const auto rejected = [&](int64_t i) { return LogRatio(logps, false, alpha, i); };
    ExpectLosses(objective, logps, [&](int64_t i) { return -LogSigmoid(0.2 * (chosen(i) - rejected(i))); });
    const LossOutput output = objective.Compute(logps);
    EXPECT_NEAR(At(output.rewards_chosen, 9), 0.2 * chosen(9), 1e-10);
    EXPECT_NEAR(At(output.rewards_rejected, 9), 0.2 * rejected(9), 1e-10);
  }
}

TEST(LdDpo, WhereAllCountsItIsDpo) {
  const PreferenceLogps logps = TestPairs();
  const at::Tensor dpo = MakeObjective("dpo {}").Compute(logps).loss;
  const at::Tensor ld_dpo = MakeObjective("ld_dpo { ld_alpha: 1 }").Compute(logps).loss;
  for (int64_t i = 0; i < dpo.size(0); ++i) EXPECT_NEAR(At(ld_dpo, i), At(dpo, i), 1e-9 * (1 + At(dpo, i)));
}

TEST(LdDpo, Gradients) { ExpectGradients(MakeObjective("ld_dpo { ld_alpha: 0.3 }"), TestPairs()); }

}  // namespace
}  // namespace plumb
