#include "common/train/micro_batches.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

using Batches = std::vector<std::vector<int64_t>>;

TEST(MicroBatchesTest, RunsOfTheStepsOrder) {
  EXPECT_EQ(MicroBatches({5, 3, 9, 1, 7}, {10, 90, 20, 30, 40}, 2, 0), (Batches{{5, 3}, {9, 1}, {7}}));
  EXPECT_EQ(MicroBatches({5, 3, 9, 1, 7}, {10, 90, 20, 30, 40}, 2, 100), (Batches{{5, 3}, {9, 1}, {7}}));
  EXPECT_EQ(MicroBatches({5}, {10}, 8, 100), (Batches{{5}}));
}

TEST(MicroBatchesTest, LongestFirstWhereTokensAreTooMany) {
  EXPECT_EQ(MicroBatches({5, 3, 9, 1, 7}, {10, 90, 20, 30, 40}, 8, 95), (Batches{{3}, {7, 1, 9}, {5}}));
}

TEST(MicroBatchesTest, BothLimitsHold) {
  EXPECT_EQ(MicroBatches({0, 1, 2, 3, 4}, {50, 60, 10, 10, 10}, 2, 100), (Batches{{1}, {0, 2}, {3, 4}}));
}

TEST(MicroBatchesTest, AnExampleBeyondTheLimitIsAlone) {
  EXPECT_EQ(MicroBatches({0, 1, 2}, {10, 500, 10}, 8, 100), (Batches{{1}, {0, 2}}));
}

}  // namespace
}  // namespace plumb
