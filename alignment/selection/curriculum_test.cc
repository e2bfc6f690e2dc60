#include "alignment/selection/curriculum.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

std::vector<AnswerPair> Answers(const std::vector<CurriculumPair>& pairs) {
  std::vector<AnswerPair> answers;
  for (const CurriculumPair& pair : pairs) answers.push_back(pair.answers);
  return answers;
}

std::vector<int64_t> Stages(const std::vector<CurriculumPair>& pairs) {
  std::vector<int64_t> stages;
  for (const CurriculumPair& pair : pairs) stages.push_back(pair.stage);
  return stages;
}

TEST(Curriculum, FourAnswersMakeThePapersThreePairs) {
  // Ranking: 2 (5), 0 (4), 3 (3), 1 (2).
  const auto pairs = CurriculumPairs({4, 2, 5, 3});
  EXPECT_EQ(Answers(pairs), (std::vector<AnswerPair>{{2, 1}, {2, 3}, {2, 0}}));
  EXPECT_EQ(Stages(pairs), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(pairs[0].gap, 3);
  EXPECT_EQ(pairs[2].gap, 1);
}

TEST(Curriculum, AllPairsGoByGapOverTheStages) {
  CurriculumOptions options;
  options.all_pairs = true;
  options.stages = 2;
  const auto pairs = CurriculumPairs({10, 9, 5, 0}, options);
  EXPECT_EQ(Answers(pairs), (std::vector<AnswerPair>{{0, 3}, {1, 3}, {0, 2}, {2, 3}, {1, 2}, {0, 1}}));
  EXPECT_EQ(Stages(pairs), (std::vector<int64_t>{0, 0, 0, 1, 1, 1}));
}

TEST(Curriculum, EqualScoresMakeNoPair) {
  EXPECT_EQ(Answers(CurriculumPairs({3, 3, 1})), (std::vector<AnswerPair>{{0, 2}}));
  EXPECT_TRUE(CurriculumPairs({2, 2, 2}).empty());
  EXPECT_TRUE(CurriculumPairs({2}).empty());
  EXPECT_TRUE(CurriculumPairs({}).empty());
}

TEST(Curriculum, NarrowGapsAreLeftOut) {
  CurriculumOptions options;
  options.min_gap = 1;
  const auto pairs = CurriculumPairs({4, 3, 2}, options);
  EXPECT_EQ(Answers(pairs), (std::vector<AnswerPair>{{0, 2}}));
  EXPECT_EQ(Stages(pairs), std::vector<int64_t>{0});
  options.min_gap = -5;  // never an answer against one as good
  EXPECT_EQ(CurriculumPairs({4, 4, 3}, options).size(), 1u);
}

TEST(Curriculum, FewerPairsThanStagesAreSpread) {
  CurriculumOptions options;
  options.stages = 4;
  EXPECT_EQ(Stages(CurriculumPairs({3, 2, 1}, options)), (std::vector<int64_t>{0, 2}));
  options.stages = 1;
  EXPECT_EQ(Stages(CurriculumPairs({3, 2, 1}, options)), (std::vector<int64_t>{0, 0}));
}

}  // namespace
}  // namespace plumb
