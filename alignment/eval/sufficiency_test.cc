#include "alignment/eval/sufficiency.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Sufficiency, NeedsAllToolsOfAQuery) {
  const std::vector<std::vector<int64_t>> ranks = {{1}, {3}, {2, 5}, {5, 2, 1}, {9, 1}};
  EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, 1), 0.2);
  EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, 2), 0.2);
  EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, 3), 0.4);
  EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, 5), 0.8);
  EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, 9), 1);
}

TEST(Sufficiency, IsRecallForOneTool) {
  // Ranks 1 ... 10, one query each: k of ten are found within k.
  std::vector<std::vector<int64_t>> ranks;
  for (int64_t rank = 1; rank <= 10; ++rank) ranks.push_back({rank});
  for (int64_t k = 0; k <= 10; ++k) EXPECT_DOUBLE_EQ(SufficiencyAtK(ranks, k), k / 10.0) << k;
}

TEST(Sufficiency, OfNoQueriesIsZero) { EXPECT_EQ(SufficiencyAtK({}, 5), 0); }

}  // namespace
}  // namespace plumb
