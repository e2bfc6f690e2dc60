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
double Difference(const PreferenceLogps& logps, int64_t i) { return Chosen(logps, i) - Rejected(logps, i); }

TEST(Discopop, BlendsLogisticAndExponential) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("discopop { beta: 0.03 tau: 0.2 }"), logps, [&](int64_t i) {
    const double z = 0.03 * Difference(logps, i);
    return -std::exp(LogSigmoid(-z / 0.2)) * LogSigmoid(z) + std::exp(LogSigmoid(z / 0.2) - z);
  });
}

TEST(Discopop, Gradients) { ExpectGradients(MakeObjective("discopop { beta: 0.03 }"), TestPairs()); }

}  // namespace
}  // namespace plumb
