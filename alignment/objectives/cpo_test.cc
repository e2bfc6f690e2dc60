#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(Cpo, IsTheContrastAndTheLikelihood) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("cpo { beta: 0.3 cpo_alpha: 0.5 label_smoothing: 0.1 }"), logps, [&](int64_t i) {
    const double chosen = At(logps.policy_chosen_logps, i);
    const double logit = 0.3 * (chosen - At(logps.policy_rejected_logps, i));
    return -0.9 * LogSigmoid(logit) - 0.1 * LogSigmoid(-logit) - 0.5 * chosen / At(logps.chosen_length, i);
  });
}

TEST(Cpo, Gradients) {
  ExpectGradients(MakeObjective("cpo {}"), TestPairs());
  ExpectGradients(MakeObjective("cpo { label_smoothing: 0.1 }"), TestPairs());
}

}  // namespace
}  // namespace plumb
