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

TEST(Sppo, HardProbabilities) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("sppo { beta: 0.3 }"), logps, [&](int64_t i) {
    return std::pow(Chosen(logps, i) - 0.5 / 0.3, 2) + std::pow(Rejected(logps, i) + 0.5 / 0.3, 2);
  });
}

TEST(Sppo, GivenProbabilities) {
  const PreferenceLogps logps = TestPairs();
  ExpectLosses(MakeObjective("sppo { beta: 0.3 chosen_win_probability: 0.8 rejected_win_probability: 0.4 }"),
               logps, [&](int64_t i) {
                 return std::pow(Chosen(logps, i) - 0.3 / 0.3, 2) +
                        std::pow(Rejected(logps, i) + 0.1 / 0.3, 2);
               });
}

TEST(Sppo, EachAnswersOwnProbability) {
  const PreferenceLogps logps = TestPairs();
  const Objective objective = MakeObjective("sppo { beta: 0.3 win_probabilities: FROM_SCORES }");
  EXPECT_TRUE(objective.traits().needs_scores);
  EXPECT_EQ(objective.traits().score_count, 1);
  EXPECT_TRUE(objective.traits().scores_are_win_probabilities);
  ExpectLosses(objective, logps, [&](int64_t i) {
    return std::pow(Chosen(logps, i) - (At(logps.score_chosen[i], 0) - 0.5) / 0.3, 2) +
           std::pow(Rejected(logps, i) - (At(logps.score_rejected[i], 0) - 0.5) / 0.3, 2);
  });
}

TEST(Sppo, Gradients) {
  ExpectGradients(MakeObjective("sppo { beta: 0.1 }"), TestPairs());
  ExpectGradients(MakeObjective("sppo { beta: 0.1 win_probabilities: FROM_SCORES }"), TestPairs());
}

}  // namespace
}  // namespace plumb
