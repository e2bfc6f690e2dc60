#include "alignment/selection/query_rewriting.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

using Ranks = std::vector<int64_t>;

TEST(QueryRewriting, RanksByFallingScore) {
  const std::vector<double> scores = {0.5, 3, 2, 1};
  EXPECT_EQ(NeededRanks(scores, {1}), Ranks({1}));
  EXPECT_EQ(NeededRanks(scores, {0}), Ranks({4}));
  EXPECT_EQ(NeededRanks(scores, {3, 2}), Ranks({3, 2}));
}

TEST(QueryRewriting, EqualScoresCountAgainstTheNeeded) {
  EXPECT_EQ(NeededRanks({0, 0, 0, 0}, {0}), Ranks({4}));
  EXPECT_EQ(NeededRanks({0, 0, 0, 0}, {0, 2}), Ranks({3, 4}));
  EXPECT_EQ(NeededRanks({1, 2, 1, 0}, {2}), Ranks({3}));
}

TEST(QueryRewriting, IsWorthTheRankAtWhichAllAreFound) {
  EXPECT_DOUBLE_EQ(RewriteReward({1}), 1);
  EXPECT_DOUBLE_EQ(RewriteReward({4, 1, 2}), 0.25);
  EXPECT_GT(RewriteReward({3, 3}), RewriteReward({1, 4}));
}

}  // namespace
}  // namespace plumb
