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

TEST(NormalizedDpo, IsDpoOfAverages) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("normalized_dpo { beta: 2 }"), logps, [&](int64_t i) {
    return -LogSigmoid(2 * (Chosen(logps, i) / At(logps.chosen_length, i) -
                            Rejected(logps, i) / At(logps.rejected_length, i)));
  });
}

TEST(NormalizedDpo, Gradients) { ExpectGradients(MakeObjective("normalized_dpo {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
