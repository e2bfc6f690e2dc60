#include "alignment/preference_data.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TokenizedPreference Pair(std::vector<int64_t> prompt, std::vector<int64_t> chosen,
                         std::vector<int64_t> rejected) {
  TokenizedPreference pair;
  pair.prompt_ids = prompt;
  pair.chosen_ids = chosen;
  pair.rejected_ids = rejected;
  return pair;
}

TEST(PreferenceData, CountsTokens) {
  const TokenizedPreference pair = Pair({1, 2}, {3, 4, 5}, {6});
  EXPECT_EQ(TokenCount(pair, /*with_rejected=*/true), 8);
  EXPECT_EQ(TokenCount(pair, /*with_rejected=*/false), 5);
  EXPECT_EQ(PredictedTokens(pair, pair.chosen_ids), 3);
  const TokenizedPreference bare = Pair({}, {3, 4, 5}, {});
  EXPECT_EQ(PredictedTokens(bare, bare.chosen_ids), 2);
  EXPECT_EQ(PredictedTokens(bare, bare.rejected_ids), 0);
}

TEST(PreferenceData, MarginsAreThereWhenOneIs) {
  std::vector<TokenizedPreference> pairs(2);
  EXPECT_FALSE(Margins(Select(pairs, {0, 1})).defined());
  pairs[1].margin = 0.5;
  const at::Tensor margins = Margins(Select(pairs, {0, 1}));
  EXPECT_EQ(margins[0].item<double>(), 0);
  EXPECT_EQ(margins[1].item<double>(), 0.5);
  EXPECT_FALSE(Margins(Select(pairs, {0})).defined());
}

TEST(PreferenceData, ATextIsAChosenAnswer) {
  const TokenizedPreference pair = AsPreference({{1}, {2, 3}});
  EXPECT_EQ(pair.prompt_ids, std::vector<int64_t>{1});
  EXPECT_EQ(pair.chosen_ids, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(pair.rejected_ids.empty());
}

TEST(PreferenceDataTest, CountsPairsThatCarryAReference) {
  PreferenceData data;
  data.train.resize(3);
  data.eval.resize(1);
  data.train[0].ref_chosen_logps = -1;
  data.train[2].ref_chosen_logps = data.train[2].ref_rejected_logps = -2;
  const ReferenceColumns columns = CountReferenceColumns(data);
  EXPECT_EQ(columns.pairs, 4);
  EXPECT_EQ(columns.both, 1);
  EXPECT_EQ(columns.some, 2);
}

}  // namespace
}  // namespace plumb
