#include "alignment/selection/situated_faithfulness.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

constexpr ConfidenceReasoning kInternal = {TrustedSource::kInternal};
constexpr ConfidenceReasoning kContext = {TrustedSource::kContext};

TEST(SituatedFaithfulness, TheQuestionComesBeforeTheContext) {
  const std::string prompt = SelfGuidedPrompt("Who?", "It was Ada.", "Grace");
  EXPECT_LT(prompt.find("Who?"), prompt.find("It was Ada."));
  EXPECT_LT(prompt.find("It was Ada."), prompt.find("Grace"));
  EXPECT_NE(prompt.find("Grace"), std::string::npos);
  EXPECT_EQ(SelfGuidedPrompt("Who?", "It was Ada.").find("without the document"), std::string::npos);
}

TEST(SituatedFaithfulness, RulesCompareConfidences) {
  EXPECT_EQ(TrustByThreshold(0.7, 0.7), TrustedSource::kInternal);
  EXPECT_EQ(TrustByThreshold(0.69, 0.7), TrustedSource::kContext);
  EXPECT_EQ(TrustByComparison(0.7, 0.6), TrustedSource::kInternal);
  EXPECT_EQ(TrustByComparison(0.7, 0.7), TrustedSource::kContext);
}

TEST(SituatedFaithfulness, OneSourceIsRightOrThereIsNothingToPrefer) {
  EXPECT_EQ(RightSource(true, false), TrustedSource::kInternal);
  EXPECT_EQ(RightSource(false, true), TrustedSource::kContext);
  EXPECT_FALSE(RightSource(true, true).has_value());
  EXPECT_FALSE(RightSource(false, false).has_value());
}

TEST(SituatedFaithfulness, ReasoningForTheRightSourceIsChosen) {
  const std::vector<ConfidenceReasoning> reasonings = {kContext, kInternal, kInternal, kContext, kInternal};
  EXPECT_EQ(ConfidencePairs(reasonings, true, false, 10), (std::vector<AnswerPair>{{1, 0}, {2, 3}}));
  EXPECT_EQ(ConfidencePairs(reasonings, false, true, 10), (std::vector<AnswerPair>{{0, 1}, {3, 2}}));
  EXPECT_EQ(ConfidencePairs(reasonings, true, false, 1), (std::vector<AnswerPair>{{1, 0}}));
  EXPECT_TRUE(ConfidencePairs(reasonings, true, true, 10).empty());
  EXPECT_TRUE(ConfidencePairs(reasonings, false, false, 10).empty());
  EXPECT_TRUE(ConfidencePairs({kContext, kContext}, true, false, 10).empty());
  EXPECT_TRUE(ConfidencePairs({}, true, false, 10).empty());
}

TEST(SituatedFaithfulness, IsTheMeanOfBothAccuracies) {
  // Context right: 1 of 1. Context wrong: 1 of 4.
  const std::vector<SituatedAnswer> answers = {
      {true, true}, {false, true}, {false, false}, {false, false}, {false, false}};
  EXPECT_DOUBLE_EQ(SituatedFaithfulness(answers).value(), 0.625);
  EXPECT_FALSE(SituatedFaithfulness({{true, true}}).has_value());
  EXPECT_FALSE(SituatedFaithfulness({}).has_value());
}

}  // namespace
}  // namespace plumb
