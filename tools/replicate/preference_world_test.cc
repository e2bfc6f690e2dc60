#include "tools/replicate/preference_world.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
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
  EXPECT_NEAR(figures.other_reward, mean(pairs.chosen.other_rewards, pairs.rejected.other_rewards), 0.05);
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

TEST(PreferenceWorld, LabelsFollowTheWeightsOfTheRewards) {
  const PreferenceWorld world(6, {});
  const PreferencePairs pairs = world.SamplePairs(world.reference(), 2000, RandomStream(6, "test"), {0, 1});
  const auto share = [](const at::Tensor& a, const at::Tensor& b) {
    return (a > b).to(at::kDouble).mean().item<double>();
  };
  EXPECT_GT(share(pairs.chosen.other_rewards, pairs.rejected.other_rewards), 0.65);
  EXPECT_NEAR(share(pairs.chosen.rewards, pairs.rejected.rewards), 0.5, 0.05);
}

TEST(PreferenceWorld, SampledAnswersAreThoseOfPairs) {
  const PreferenceWorld world(7, {});
  const Answers answers = world.SampleAnswers(world.reference(), 5, 2, RandomStream(7, "test"));
  const PreferencePairs pairs = world.SamplePairs(world.reference(), 5, RandomStream(7, "test"));
  EXPECT_EQ(answers.lengths.size(0), 10);
  EXPECT_EQ(RewardsOfPrompt(answers, 3, 2)[1], answers.rewards[7].item<double>());
  EXPECT_NEAR(answers.rewards.sum().item<double>(),
              (pairs.chosen.rewards + pairs.rejected.rewards).sum().item<double>(), 1e-12);
  EXPECT_NEAR(answers.token_rewards.sum().item<double>(), answers.rewards.sum().item<double>(), 1e-12);
  const int64_t vocabulary = world.reference().size(2);
  const Answers fourth = Select(answers, {6});
  EXPECT_EQ(fourth.token_rewards[0].item<double>(),
            world.token_rewards()[3][fourth.cells[0].item<int64_t>() % vocabulary].item<double>());
}

TEST(PreferenceWorld, SelectedAndJoinedAnswersKeepTheirTokens) {
  const PreferenceWorld world(8, {});
  const Answers answers = world.SampleAnswers(world.reference(), 4, 1, RandomStream(8, "test"));
  const auto sums = [](const Answers& a) {
    return at::zeros_like(a.lengths).index_add(0, a.rows, a.token_rewards);
  };
  const Answers some = Select(answers, {3, 1, 3});
  EXPECT_TRUE(some.rewards.equal(answers.rewards.index_select(0, at::tensor({3, 1, 3}))));
  EXPECT_TRUE(at::allclose(sums(some), some.rewards));
  EXPECT_EQ(some.cells.size(0), some.lengths.sum().item<double>());
  const Answers joined = Joined(some, answers);
  EXPECT_TRUE(joined.other_rewards.equal(at::cat({some.other_rewards, answers.other_rewards})));
  EXPECT_TRUE(at::allclose(sums(joined), joined.rewards));
  EXPECT_TRUE(Select(joined, {3, 4, 5, 6}).cells.equal(answers.cells));
}

TEST(PreferenceWorld, UnpairedAnswersAreComparedWithTheKl) {
  const PreferenceWorld world(9, {});
  const PreferencePairs unpaired = Unpaired(world.pairs());
  const at::Tensor policy = world.reference() * 1.5;
  const PreferenceLogps logps = world.Logps(policy, world.reference(), unpaired);
  EXPECT_EQ(logps.label.sum().item<double>(), 512);
  EXPECT_TRUE(unpaired.chosen.rewards.slice(0, 0, 512).equal(world.pairs().chosen.rewards));
  EXPECT_TRUE(unpaired.chosen.rewards.slice(0, 512).equal(world.pairs().rejected.rewards));
  EXPECT_DOUBLE_EQ(logps.baseline[0].item<double>(), world.Measure(policy).kl);
  const auto policies =
      world.Train("kto { beta: 0.1 }", world.reference(), world.reference(), unpaired, {30, 0.05});
  ASSERT_TRUE(policies.ok()) << policies.status();
  EXPECT_GT(world.Measure(policies->back()).reward, world.Measure(world.reference()).reward + 0.3);
}

TEST(PreferenceWorld, UnpairedAnswersAreComparedWithTheirRunningMean) {
  const PreferenceWorld world(9, {});
  const PreferencePairs unpaired = Unpaired(world.pairs());
  const PreferenceWorld::Training two_steps = {2, 0.05};
  const auto policies =
      world.Train("bco { beta: 0.1 }", world.reference(), world.reference(), unpaired, two_steps);
  ASSERT_TRUE(policies.ok()) << policies.status();
  // The second step's gradient, from the loss with the mean of both steps as its baseline.
  const at::Tensor second = (*policies)[1].detach().clone().requires_grad_(true);
  PreferenceLogps logps = world.Logps(second, world.reference(), unpaired);
  const at::Tensor ratios = logps.policy_chosen_logps - logps.reference_chosen_logps;
  const at::Tensor rewards = 0.1 * (ratios - ratios.mean().item<double>() / 2);  // 0 at the first step
  const at::Tensor signs = 2 * unpaired.label - 1;
  (1 + (-signs * rewards).exp()).log().mean().backward();
  // Adam's first moment after two steps; the first step's gradient is that of the reference.
  const at::Tensor first = world.reference().detach().clone().requires_grad_(true);
  logps = world.Logps(first, world.reference(), unpaired);
  (1 + (-signs * 0.1 * (logps.policy_chosen_logps - logps.reference_chosen_logps)).exp())
      .log()
      .mean()
      .backward();
  const at::Tensor mean = (0.09 * first.grad() + 0.1 * second.grad()) / (1 - 0.81);
  const at::Tensor square =
      (0.999 * 0.001 * first.grad().square() + 0.001 * second.grad().square()) / (1 - 0.999 * 0.999);
  const at::Tensor expected = (*policies)[1] - 0.05 * mean / (square.sqrt() + 1e-8);
  EXPECT_LT((expected - (*policies)[2]).abs().max().item<double>(), 1e-9);
}

TEST(PreferenceWorld, GivesObjectivesWhatThePairsHave) {
  const PreferenceWorld world(10, {});
  PreferencePairs pairs = world.pairs();
  pairs.gold = pairs.rejected;
  pairs.score_chosen = pairs.chosen.rewards.unsqueeze(1);
  pairs.chosen_token_mask = (pairs.chosen.token_rewards > 0).to(at::kDouble);
  const PreferenceLogps logps = world.Logps(world.reference(), world.reference(), pairs);
  EXPECT_TRUE(logps.policy_gold_logps.equal(logps.policy_rejected_logps));
  EXPECT_TRUE(logps.gold_length.equal(pairs.rejected.lengths));
  EXPECT_TRUE(logps.score_chosen.equal(pairs.score_chosen));
  EXPECT_TRUE(logps.chosen_token_mask.equal(pairs.chosen_token_mask));
  EXPECT_FALSE(logps.label.defined());
}

TEST(PreferenceWorld, WhatIsBesideTheObjectiveIsDescendedToo) {
  const PreferenceWorld world(11, {});
  PreferenceWorld::Training training = {1, 0.05};
  training.beside = [](const at::Tensor& policy, int64_t step) { return 1e6 * step * policy.sum(); };
  const auto policies = world.Train("dpo { beta: 0.1 }", training);
  ASSERT_TRUE(policies.ok()) << policies.status();
  // Adam's first step is the learning rate against the gradient's sign, which is that of the larger term.
  EXPECT_TRUE(at::allclose(policies->back(), world.reference() - 0.05));
}

TEST(PreferenceWorld, RewardModelsLearnTheOrderOfAnswers) {
  const PreferenceWorld world(12, {});
  const auto tables = world.TrainRewards("reward {}", world.pairs(), {100, 0.05});
  ASSERT_TRUE(tables.ok()) << tables.status();
  const PreferencePairs pairs = world.SamplePairs(world.reference(), 1000, RandomStream(12, "test"));
  const at::Tensor agree =
      (RewardsBy(tables->back(), pairs.chosen) > RewardsBy(tables->back(), pairs.rejected)) ==
      (pairs.chosen.rewards > pairs.rejected.rewards);
  EXPECT_GT(agree.to(at::kDouble).mean().item<double>(), 0.7);
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
