#include "tools/replicate/preference_world.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

namespace plumb {
namespace {

TEST(PreferenceWorld, ExpectationsAreThoseOfItsAnswers) {
  const PreferenceWorld world(1, {});
  const PreferencePairs pairs = world.SamplePairs(world.reference(), 40000, RandomStream(1, "test"));
  const auto mean = [](const at::Tensor& a, const at::Tensor& b) {
    return ((a.mean() + b.mean()) / 2).item<double>();
  };
  const PolicyFigures figures = world.Measure(world.reference());
  EXPECT_NEAR(figures.reward, mean(pairs.chosen.rewards, pairs.rejected.rewards), 0.05);
  EXPECT_NEAR(figures.length, mean(pairs.chosen.lengths, pairs.rejected.lengths), 0.05);
  EXPECT_EQ(figures.kl, 0);
  const PreferenceLogps logps = world.Logps(world.reference(), world.reference(), pairs);
  EXPECT_NEAR(figures.entropy, -mean(logps.policy_chosen_logps, logps.policy_rejected_logps), 0.1);
}

TEST(PreferenceWorld, KlIsThatOfItsAnswers) {
  const PreferenceWorld world(2, {});
  const at::Tensor policy = world.reference() * 1.5;
  const PreferencePairs pairs = world.SamplePairs(policy, 40000, RandomStream(2, "test"));
  const PreferenceLogps logps = world.Logps(policy, world.reference(), pairs);
  const double sampled = ((logps.policy_chosen_logps - logps.reference_chosen_logps).mean() +
                          (logps.policy_rejected_logps - logps.reference_rejected_logps).mean())
                             .item<double>() /
                         2;
  EXPECT_NEAR(world.Measure(policy).kl, sampled, 0.05);
}

TEST(PreferenceWorld, LabelsFollowTheGoldReward) {
  const PreferenceWorld world(3, {});
  EXPECT_GT((world.pairs().chosen.rewards > world.pairs().rejected.rewards).sum().item<int64_t>(), 300);
  PreferenceWorldOptions flipped;
  flipped.flipped = 1;
  const PreferenceWorld other(3, flipped);
  EXPECT_TRUE(other.pairs().chosen.rewards.equal(world.pairs().rejected.rewards));
}

TEST(PreferenceWorld, TrainingRaisesTheReward) {
  const PreferenceWorld world(4, {});
  const auto policies = world.Train("dpo { beta: 0.1 }", {30, 0.05});
  ASSERT_TRUE(policies.ok()) << policies.status();
  ASSERT_EQ(policies->size(), 31);
  EXPECT_GT(world.Measure(policies->back()).reward, world.Measure(world.reference()).reward + 0.3);
  const double kl = world.Measure((*policies)[10]).kl;
  EXPECT_DOUBLE_EQ(world.Where(*policies, &PolicyFigures::kl, kl, &PolicyFigures::reward),
                   world.Measure((*policies)[10]).reward);
}

TEST(PreferenceWorld, RefusesWhatIsNoObjective) {
  EXPECT_FALSE(PreferenceWorld(5, {}).Train("nothing {}").ok());
}

}  // namespace
}  // namespace plumb
