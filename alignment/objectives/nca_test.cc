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

TEST(Nca, IsTheContrast) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("nca { beta: 0.3 }"), logps, [&](int64_t i) {
    const double chosen = 0.3 * Chosen(logps, i), rejected = 0.3 * Rejected(logps, i);
    return -LogSigmoid(chosen) - 0.5 * LogSigmoid(-chosen) - 0.5 * LogSigmoid(-rejected);
  });
}

TEST(Nca, Gradients) { ExpectGradients(MakeObjective("nca {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
