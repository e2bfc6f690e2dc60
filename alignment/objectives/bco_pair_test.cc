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

TEST(BcoPair, IsTwoClassifications) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("bco_pair { beta: 0.3 }"), logps, [&](int64_t i) {
    return -LogSigmoid(0.3 * Chosen(logps, i)) - LogSigmoid(-0.3 * Rejected(logps, i));
  });
}

TEST(BcoPair, Gradients) { ExpectGradients(MakeObjective("bco_pair {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
