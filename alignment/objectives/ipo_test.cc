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

TEST(Ipo, AveragesPerToken) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("ipo { beta: 0.3 }"), logps, [&](int64_t i) {
    const double d =
        Chosen(logps, i) / At(logps.chosen_length, i) - Rejected(logps, i) / At(logps.rejected_length, i);
    return std::pow(d - 1 / 0.6, 2);
  });
}

TEST(Ipo, OrSums) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("ipo { beta: 0.3 log_ratios: SUM }"), logps,
               [&](int64_t i) { return std::pow(Chosen(logps, i) - Rejected(logps, i) - 1 / 0.6, 2); });
}

TEST(Ipo, Gradients) {
  ExpectGradients(MakeObjective("ipo {}"), TestPairs());
  ExpectGradients(MakeObjective("ipo { log_ratios: SUM }"), TestPairs());
}

}  // namespace
}  // namespace plumb
