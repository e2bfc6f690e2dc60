#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "alignment/objectives/objective_testing.h"

namespace plumb {
namespace {

// `first` and `second` of every pair, subtracted and sorted.
std::vector<double> SortedDifferences(const at::Tensor& first, const at::Tensor& second) {
  std::vector<double> values;
  for (int64_t i = 0; i < first.size(0); ++i) values.push_back(At(first, i) - At(second, i));
  std::sort(values.begin(), values.end());
  return values;
}

double Expected(double delta) { return -0.9 * LogSigmoid(0.3 * delta) - 0.1 * LogSigmoid(-0.3 * delta); }

TEST(Aot, Paired) {
  const PreferenceLogps logps = TestPairs();
  const auto policy = SortedDifferences(logps.policy_chosen_logps, logps.policy_rejected_logps);
  const auto reference = SortedDifferences(logps.reference_chosen_logps, logps.reference_rejected_logps);
  ExpectLosses(MakeObjective("aot { beta: 0.3 label_smoothing: 0.1 }"), logps,
               [&](int64_t i) { return Expected(policy[i] - reference[i]); });
}

TEST(Aot, Unpaired) {
  const PreferenceLogps logps = TestPairs();
  const auto chosen = SortedDifferences(logps.policy_chosen_logps, logps.reference_chosen_logps);
  const auto rejected = SortedDifferences(logps.policy_rejected_logps, logps.reference_rejected_logps);
  ExpectLosses(MakeObjective("aot { beta: 0.3 label_smoothing: 0.1 pairing: UNPAIRED }"), logps,
               [&](int64_t i) { return Expected(chosen[i] - rejected[i]); });
}

TEST(Aot, Gradients) {
  PreferenceLogps logps = TestPairs();
  logps.reference_rejected_logps[3] += 1e-3;  // equal values have no order, and a kink between them
  ExpectGradients(MakeObjective("aot {}"), logps);
  logps.policy_rejected_logps[2] += 2e-3;
  ExpectGradients(MakeObjective("aot { pairing: UNPAIRED }"), logps);
}

}  // namespace
}  // namespace plumb
