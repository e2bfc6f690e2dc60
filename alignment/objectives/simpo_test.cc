#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

double Chosen(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_chosen_logps, i) / At(logps.chosen_length, i);
}
double Rejected(const PreferenceLogps& logps, int64_t i) {
  return At(logps.policy_rejected_logps, i) / At(logps.rejected_length, i);
}

TEST(Simpo, TakesTheRatio) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("simpo { beta: 2.5 gamma_beta_ratio: 0.4 }"), logps,
               [&](int64_t i) { return -LogSigmoid(2.5 * (Chosen(logps, i) - Rejected(logps, i)) - 1); });
}

TEST(Simpo, TakesGamma) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("simpo { beta: 2.5 gamma: 0.7 }"), logps,
               [&](int64_t i) { return -LogSigmoid(2.5 * (Chosen(logps, i) - Rejected(logps, i)) - 0.7); });
}

TEST(Simpo, AlphaBendsTheReward) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("simpo { beta: 2 gamma: 0.5 alpha: 0.1 }"), logps, [&](int64_t i) {
    const auto reward = [](double average) { return 2 * (1 - std::exp(-0.1 * average)) / 0.1; };
    const double chosen = reward(Chosen(logps, i)), rejected = reward(Rejected(logps, i));
    return -LogSigmoid(chosen - rejected - 0.5);
  });
}

TEST(Simpo, Gradients) {
  ExpectGradients(MakeObjective("simpo {}"), TestPairs());
  PreferenceLogps logps = TestPairs();
  logps.policy_chosen_logps = logps.policy_chosen_logps.clamp_min(-60);  // exp(-alpha a) is a power of e
  logps.policy_rejected_logps = logps.policy_rejected_logps.clamp_min(-60);
  ExpectGradients(MakeObjective("simpo { alpha: 0.01 }"), logps);
}

}  // namespace
}  // namespace plumb
