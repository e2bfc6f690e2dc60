#include <gtest/gtest.h>

#include <algorithm>
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

TEST(Hinge, IsTheHinge) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("hinge { beta: 0.3 }"), logps,
               [&](int64_t i) { return std::max(0.0, 1 - 0.3 * Difference(logps, i)); });
}

TEST(Hinge, Gradients) { ExpectGradients(MakeObjective("hinge {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
