#include "alignment/selection/bm25.h"

#include <gtest/gtest.h>

#include <cmath>

namespace plumb {
namespace {

TEST(Bm25, IsItsFormula) {
  Bm25Index index({1.5, 0.6});
  index.Add("rain rain go away");          // 4 words
  index.Add("the rain in Spain");          // 4 words
  index.Add("sunshine all the day long");  // 5 words
  index.Add("");
  // Mean length 13 / 4. "rain" is in 2 of 4 documents, "spain" in 1, "the" in 2.
  const double length = 4 / 3.25;
  const double norm = 1.5 * (1 - 0.6 + 0.6 * length);
  const double idf_two = std::log(1 + 2.5 / 2.5), idf_one = std::log(1 + 3.5 / 1.5);
  const std::vector<double> scores = index.Scores("Rain, SPAIN? snow");
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_NEAR(scores[0], idf_two * 2 * 2.5 / (2 + norm), 1e-12);
  EXPECT_NEAR(scores[1], (idf_two + idf_one) * 2.5 / (1 + norm), 1e-12);
  EXPECT_EQ(scores[2], 0);
  EXPECT_EQ(scores[3], 0);
}

TEST(Bm25, RepeatedWordsOfAQueryCountAgain) {
  Bm25Index index;
  index.Add("one two");
  index.Add("three");
  EXPECT_NEAR(index.Scores("one one")[0], 2 * index.Scores("one")[0], 1e-12);
}

TEST(Bm25, NamesAreWords) {
  Bm25Index index;
  index.Add("calculate_tip");
  index.Add("calculate_age");
  const std::vector<double> scores = index.Scores("what tip");
  EXPECT_GT(scores[0], 0);
  EXPECT_EQ(scores[1], 0);
}

TEST(Bm25, NothingIsLikeNothing) {
  EXPECT_TRUE(Bm25Index().Scores("word").empty());
  Bm25Index index;
  index.Add("word");
  EXPECT_EQ(index.Scores(""), std::vector<double>{0});
}

}  // namespace
}  // namespace plumb
