#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// Log odds of exp(mean log-probability per token).
double LogOddsOf(double logp, double length) {
  const double average = logp / length;
  return average - std::log(-std::expm1(average));
}

TEST(Orpo, IsLikelihoodAndOddsRatio) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("orpo { beta: 0.3 }"), logps, [&](int64_t i) {
    const double chosen = At(logps.policy_chosen_logps, i), length = At(logps.chosen_length, i);
    return -chosen / length -
           0.3 * LogSigmoid(LogOddsOf(chosen, length) -
                            LogOddsOf(At(logps.policy_rejected_logps, i), At(logps.rejected_length, i)));
  });
}

TEST(Orpo, Gradients) { ExpectGradients(MakeObjective("orpo {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
