#include <ATen/ops/full_like.h>
#include <gtest/gtest.h>

#include <cmath>

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

TEST(ContrastivePolicyGradient, RegressesTheDifferenceOfRewards) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("contrastive_policy_gradient { beta: 0.3 }"), logps, [&](int64_t i) {
    const double chosen = At(logps.score_chosen[i], 0) + At(logps.score_chosen[i], 1);
    const double rejected = At(logps.score_rejected[i], 0) + At(logps.score_rejected[i], 1);
    return std::pow(chosen - rejected - 0.3 * (Chosen(logps, i) - Rejected(logps, i)), 2) / 0.6;
  });
}

TEST(ContrastivePolicyGradient, WeighsScores) {
  const PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("contrastive_policy_gradient { score_weight: [2, -0.5] }");
  EXPECT_EQ(objective.traits().score_count, 2);
  ExpectLosses(objective, logps, [&](int64_t i) {
    const double rewards = 2 * (At(logps.score_chosen[i], 0) - At(logps.score_rejected[i], 0)) -
                           0.5 * (At(logps.score_chosen[i], 1) - At(logps.score_rejected[i], 1));
    return std::pow(rewards - 0.1 * (Chosen(logps, i) - Rejected(logps, i)), 2) / 0.2;
  });
}

// Each answer is pushed by what the other one's regularised reward leaves of its own.
TEST(ContrastivePolicyGradient, ItsGradientIsAPolicyGradient) {
  PreferenceLogps logps = TestPairs();
  logps.policy_chosen_logps.requires_grad_();
  logps.policy_rejected_logps.requires_grad_();
  MakeObjective("contrastive_policy_gradient {}").Compute(logps).loss.sum().backward();
  for (int64_t i = 8; i < 20; ++i) {
    const double chosen = At(logps.score_chosen[i].sum().unsqueeze(0), 0) - 0.1 * Chosen(logps, i);
    const double rejected = At(logps.score_rejected[i].sum().unsqueeze(0), 0) - 0.1 * Rejected(logps, i);
    EXPECT_NEAR(At(logps.policy_chosen_logps.grad(), i), -(chosen - rejected), 1e-10);
    EXPECT_NEAR(At(logps.policy_rejected_logps.grad(), i), chosen - rejected, 1e-10);
  }
}

TEST(ContrastivePolicyGradient, WithRewardsOfAQuarterItIsIpo) {
  PreferenceLogps logps = TestPairs();
  logps.score_chosen = at::full_like(logps.policy_chosen_logps.unsqueeze(1), 0.25);
  logps.score_rejected = -logps.score_chosen;
  ExpectLosses(MakeObjective("contrastive_policy_gradient { beta: 0.3 }"), logps, [&](int64_t i) {
    return 0.15 * std::pow(Chosen(logps, i) - Rejected(logps, i) - 1 / 0.6, 2);
  });
}

TEST(ContrastivePolicyGradient, Gradients) {
  ExpectGradients(MakeObjective("contrastive_policy_gradient {}"), TestPairs());
  ExpectGradients(MakeObjective("contrastive_policy_gradient { score_weight: [0.5, 2] }"), TestPairs());
}

}  // namespace
}  // namespace plumb
