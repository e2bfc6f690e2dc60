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

double Sigmoid(double x) { return std::exp(LogSigmoid(x)); }

TEST(AnchoredPo, Zero) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("anchored_po { beta: 0.3 }"), logps, [&](int64_t i) {
    return 1 - Sigmoid(0.3 * Chosen(logps, i)) + Sigmoid(0.3 * Rejected(logps, i));
  });
}

TEST(AnchoredPo, Down) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("anchored_po { beta: 0.3 anchor: DOWN }"), logps, [&](int64_t i) {
    return Sigmoid(0.3 * Chosen(logps, i)) + 1 - Sigmoid(0.3 * (Chosen(logps, i) - Rejected(logps, i)));
  });
}

TEST(AnchoredPo, Gradients) {
  ExpectGradients(MakeObjective("anchored_po {}"), TestPairs());
  ExpectGradients(MakeObjective("anchored_po { anchor: DOWN }"), TestPairs());
}

}  // namespace
}  // namespace plumb
