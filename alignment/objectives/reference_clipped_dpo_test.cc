#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

TEST(ReferenceClippedDpo, IgnoresAReferenceThatIsWrong) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("reference_clipped_dpo { beta: 0.3 }"), logps, [&](int64_t i) {
    const double reference = At(logps.reference_chosen_logps, i) - At(logps.reference_rejected_logps, i);
    return -LogSigmoid(0.3 * (At(logps.policy_chosen_logps, i) - At(logps.policy_rejected_logps, i) -
                              std::max(0.0, reference)));
  });
}

TEST(ReferenceClippedDpo, Gradients) {
  PreferenceLogps logps = TestPairs();
  logps.reference_rejected_logps[3] += 1;  // a tie of the reference is a kink
  ExpectGradients(MakeObjective("reference_clipped_dpo {}"), logps);
}

}  // namespace
}  // namespace plumb
