#include <gtest/gtest.h>

#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(Asft, JudgesEachAnswerByItself) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("asft { beta: 0.3 }"), logps, [&](int64_t i) {
    const double chosen = At(logps.policy_chosen_logps, i) / At(logps.chosen_length, i);
    const double rejected = At(logps.policy_rejected_logps, i) / At(logps.rejected_length, i);
    return -chosen + 0.3 * (-chosen - std::log(-std::expm1(rejected)));
  });
}

TEST(Asft, Gradients) { ExpectGradients(MakeObjective("asft {}"), TestPairs()); }

}  // namespace
}  // namespace plumb
