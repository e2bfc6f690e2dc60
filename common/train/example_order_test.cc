#include "common/train/example_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace plumb {
namespace {

using testing::ElementsAre;

std::vector<int64_t> Examples(ExampleOrder order, int64_t step) {
  const auto examples = order.Examples(step);
  return {examples.begin(), examples.end()};
}

const RandomStream kRandom(7, "order");

TEST(ExampleOrderTest, WithoutShufflingTheOrderIsTheTasks) {
  const ExampleOrder order(10, 2, 2, /*shuffle=*/false, kRandom);  // batches of 2, 5 an epoch, 2 a step
  EXPECT_EQ(order.steps_per_epoch(), 3);
  EXPECT_THAT(Examples(order, 0), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Examples(order, 2), ElementsAre(8, 9));
  EXPECT_THAT(Examples(order, 3), ElementsAre(0, 1, 2, 3));
  EXPECT_DOUBLE_EQ(order.Epoch(0), 0);
  EXPECT_DOUBLE_EQ(order.Epoch(2), 0.8);
  EXPECT_DOUBLE_EQ(order.Epoch(3), 1);
  EXPECT_DOUBLE_EQ(order.Epoch(7), 2.4);
}

TEST(ExampleOrderTest, TheLastBatchAndTheLastStepMayBeSmaller) {
  const ExampleOrder order(7, 3, 4, /*shuffle=*/false, kRandom);
  EXPECT_EQ(order.steps_per_epoch(), 1);
  EXPECT_EQ(Examples(order, 5).size(), 7);
  EXPECT_EQ(ExampleOrder(3, 8, 1, false, kRandom).steps_per_epoch(), 1);
  EXPECT_EQ(ExampleOrder(9, 4, 1, false, kRandom).steps_per_epoch(), 3);
  EXPECT_THAT(Examples(ExampleOrder(9, 4, 1, false, kRandom), 2), ElementsAre(8));
}

TEST(ExampleOrderTest, EachEpochSeesEveryExampleOnceInAnOrderOfItsOwn) {
  ExampleOrder order(20, 3, 2, /*shuffle=*/true, kRandom);
  std::vector<std::vector<int64_t>> epochs(3);
  for (int64_t step = 0; step < 3 * order.steps_per_epoch(); ++step) {
    for (const int64_t example : order.Examples(step)) {
      epochs[step / order.steps_per_epoch()].push_back(example);
    }
  }
  for (std::vector<int64_t> epoch : epochs) {
    std::sort(epoch.begin(), epoch.end());
    for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(epoch[i], i);
    EXPECT_EQ(epoch.size(), 20);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST(ExampleOrderTest, AStepDoesNotDependOnWhatWasAskedBefore) {
  ExampleOrder forward(20, 3, 2, true, kRandom);
  ExampleOrder backward(20, 3, 2, true, kRandom);
  std::vector<std::vector<int64_t>> steps;
  for (int64_t step = 0; step < 10; ++step) {
    const auto examples = forward.Examples(step);
    steps.emplace_back(examples.begin(), examples.end());
  }
  for (int64_t step = 9; step >= 0; --step) {
    const auto examples = backward.Examples(step);
    EXPECT_THAT(examples, testing::ElementsAreArray(steps[step])) << step;
  }
}

TEST(ExampleOrderTest, AccumulationDoesNotChangeWhatAStepHolds) {
  for (int64_t step = 0; step < 6; ++step) {
    const auto whole = Examples(ExampleOrder(21, 8, 1, true, kRandom), step);
    EXPECT_EQ(Examples(ExampleOrder(21, 4, 2, true, kRandom), step), whole);
    EXPECT_EQ(Examples(ExampleOrder(21, 1, 8, true, kRandom), step), whole);
  }
}

TEST(PoissonSampleTest, EachExampleJoinsByItself) {
  int64_t drawn = 0, together = 0;
  constexpr int64_t kSteps = 400;
  for (int64_t step = 0; step < kSteps; ++step) {
    const std::vector<int64_t> sample = PoissonSample(RandomStream(3, "s").Child(step), 100, 0.2);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
    drawn += sample.size();
    together += std::count(sample.begin(), sample.end(), 4) * std::count(sample.begin(), sample.end(), 5);
  }
  EXPECT_NEAR(drawn / (100.0 * kSteps), 0.2, 5 * std::sqrt(0.16 / (100 * kSteps)));
  EXPECT_NEAR(together / double{kSteps}, 0.04, 5 * std::sqrt(0.04 / kSteps));
  EXPECT_TRUE(PoissonSample(RandomStream(3, "s"), 100, 0).empty());
  EXPECT_EQ(PoissonSample(RandomStream(3, "s"), 100, 1).size(), 100);
}

}  // namespace
}  // namespace plumb
