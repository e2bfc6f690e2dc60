#include "alignment/pair_batch.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

std::vector<int64_t> Values(const at::Tensor& tensor) {
  return std::vector<int64_t>(tensor.data_ptr<int64_t>(), tensor.data_ptr<int64_t>() + tensor.numel());
}

TokenizedPreference Pair(std::vector<int64_t> prompt, std::vector<int64_t> chosen,
                         std::vector<int64_t> rejected) {
  TokenizedPreference pair;
  pair.prompt_ids = prompt;
  pair.chosen_ids = chosen;
  pair.rejected_ids = rejected;
  return pair;
}

TEST(PackPairs, StoresPromptsOnceAndPredictsAnswersAlone) {
  const TokenizedPreference first = Pair({1, 2}, {3, 4}, {5}), second = Pair({6}, {7}, {8, 9});
  const PairBatch batch = PackPairs({&first, &second}, /*with_rejected=*/true);
  EXPECT_EQ(Values(batch.tokens.token_ids), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(Values(batch.tokens.position_ids), (std::vector<int64_t>{0, 1, 2, 3, 2, 0, 1, 1, 2}));
  EXPECT_EQ(Values(batch.rows), (std::vector<int64_t>{1, 2, 5, 1, 5, 7}));
  EXPECT_EQ(Values(batch.targets), (std::vector<int64_t>{3, 4, 7, 5, 8, 9}));
  EXPECT_EQ(batch.chosen_tokens(), 3);
  ASSERT_EQ(batch.rejected.size(), 2);
  EXPECT_EQ(batch.chosen[1].begin, 2);
  EXPECT_EQ(batch.rejected[0].begin, 3);
  EXPECT_EQ(batch.rejected[1].begin, 4);
  EXPECT_EQ(batch.rejected[1].end, 6);
  EXPECT_EQ(Values(batch.chosen_last), (std::vector<int64_t>{3, 6}));
  EXPECT_EQ(Values(batch.rejected_last), (std::vector<int64_t>{4, 8}));
}

TEST(PackPairs, WithoutAPromptTheFirstTokenIsNotPredicted) {
  const TokenizedPreference pair = Pair({}, {3, 4, 5}, {6});
  const PairBatch batch = PackPairs({&pair}, /*with_rejected=*/true);
  EXPECT_EQ(Values(batch.rows), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(Values(batch.targets), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(batch.rejected[0].length(), 0);
}

TEST(PackPairs, LeavesRejectedAnswersOut) {
  const TokenizedPreference pair = Pair({1}, {2, 3}, {4});
  const PairBatch batch = PackPairs({&pair}, /*with_rejected=*/false);
  EXPECT_EQ(Values(batch.tokens.token_ids), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_TRUE(batch.rejected.empty());
  EXPECT_EQ(batch.predicted_tokens(), 2);
}

TEST(PackPairs, GoldAnswersComeLast) {
  TokenizedPreference first = Pair({1, 2}, {3, 4}, {5}), second = Pair({}, {7, 8}, {9, 10});
  first.gold_ids = {11, 12};
  second.gold_ids = {13, 14};
  for (const bool share_prompts : {true, false}) {
    const PairBatch batch =
        PackPairs({&first, &second}, /*with_rejected=*/true, share_prompts, /*with_gold=*/true);
    EXPECT_EQ(Values(batch.targets), (std::vector<int64_t>{3, 4, 8, 5, 10, 11, 12, 14}));
    EXPECT_EQ(batch.chosen_tokens(), 3);
    EXPECT_EQ(batch.rejected_tokens(), 2);
    ASSERT_EQ(batch.gold.size(), 2);
    EXPECT_EQ(batch.gold[0].begin, 5);
    EXPECT_EQ(batch.gold[1].length(), 1);
    const at::Tensor before = batch.tokens.token_ids.index_select(0, batch.rows);
    EXPECT_EQ(Values(before), (std::vector<int64_t>{2, 3, 7, 2, 9, 2, 11, 13}));
  }
  const PairBatch batch = PackPairs({&first}, /*with_rejected=*/false, true, /*with_gold=*/true);
  EXPECT_EQ(Values(batch.targets), (std::vector<int64_t>{3, 4, 11, 12}));
  EXPECT_EQ(batch.rejected_tokens(), 0);
  EXPECT_EQ(PackPairs({&first}, /*with_rejected=*/true).predicted_tokens(), 3);
}

TEST(PackPairs, AnEmptyAnswerEndsWithThePrompt) {
  const TokenizedPreference pair = Pair({1, 2}, {3}, {});
  const PairBatch batch = PackPairs({&pair}, /*with_rejected=*/true);
  EXPECT_EQ(Values(batch.rejected_last), (std::vector<int64_t>{1}));
}

}  // namespace
}  // namespace plumb
