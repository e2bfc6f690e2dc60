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

TEST(Exo, IsTheReverseKl) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("exo { beta: 0.3 label_smoothing: 0.05 }"), logps, [&](int64_t i) {
    const double logit = 0.3 * Difference(logps, i);
    const double q = std::exp(LogSigmoid(logit)), not_q = std::exp(LogSigmoid(-logit));
    return q * (LogSigmoid(logit) - std::log(0.95)) + not_q * (LogSigmoid(-logit) - std::log(0.05));
  });
}

TEST(Exo, Gradients) { ExpectGradients(MakeObjective("exo {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
