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
  TokenizedPreference triple = pair;
  triple.gold_ids = {7, 8};
  EXPECT_EQ(TokenCount(triple, /*with_rejected=*/true), 12);
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

TEST(PreferenceData, ScoresAreARowAPair) {
  std::vector<TokenizedPreference> pairs(2);
  pairs[0].score_chosen = {1, 2, 3};
  pairs[1].score_chosen = {4, 5, 6};
  pairs[0].score_rejected = pairs[1].score_rejected = {-1};
  const at::Tensor chosen = ChosenScores(Select(pairs, {1, 0}));
  EXPECT_EQ(chosen.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(chosen[0][2].item<double>(), 6);
  EXPECT_EQ(chosen[1][0].item<double>(), 1);
  EXPECT_EQ(RejectedScores(Select(pairs, {1, 0})).sizes(), (std::vector<int64_t>{2, 1}));
}

TEST(PreferenceData, MasksFollowThePredictedTokens) {
  std::vector<TokenizedPreference> pairs = {Pair({1}, {3, 0, 5}, {6}), Pair({}, {3, 4}, {7, 8, 9})};
  pairs[0].chosen_mask = {true, true, false};
  pairs[1].rejected_mask = {false, true, false};
  const auto values = [](const at::Tensor& mask) {
    return std::vector<float>(mask.data_ptr<float>(), mask.data_ptr<float>() + mask.numel());
  };
  EXPECT_EQ(values(ChosenMask(Select(pairs, {0, 1}))), (std::vector<float>{1, 1, 0, 1}));
  EXPECT_EQ(values(RejectedMask(Select(pairs, {0, 1}))), (std::vector<float>{1, 1, 0}));
}

TEST(PreferenceData, ATextIsAChosenAnswer) {
  const TokenizedPreference pair = AsPreference({{1}, {2, 3}});
  EXPECT_EQ(pair.prompt_ids, std::vector<int64_t>{1});
  EXPECT_EQ(pair.chosen_ids, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(pair.rejected_ids.empty());
  EXPECT_FALSE(pair.label.has_value());
}

TEST(PreferenceData, SoIsAnAnswerWithALabel) {
  const std::vector<TokenizedPreference> pairs = {AsPreference({{1}, {2}}, false),
                                                  AsPreference({{1}, {3}}, true)};
  EXPECT_EQ(pairs[1].chosen_ids, std::vector<int64_t>{3});
  const at::Tensor labels = Labels(Select(pairs, {0, 1}));
  EXPECT_EQ(labels[0].item<float>(), 0);
  EXPECT_EQ(labels[1].item<float>(), 1);
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
