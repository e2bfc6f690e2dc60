#include "alignment/selection/follow_up_likelihood.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(FollowUpLikelihood, IsTheMeanLogpOfContentLessThatOfDiscontentFollowUps) {
  // Per token: -1 and -3, mean -2; -4.
  EXPECT_DOUBLE_EQ(FollowUpReward({{-2, 2}, {-9, 3}}, {{-8, 2}}), 2);
  // Swapping the sets turns the sign.
  EXPECT_DOUBLE_EQ(FollowUpReward({{-8, 2}}, {{-2, 2}, {-9, 3}}), -2);
}

TEST(FollowUpLikelihood, ALongFollowUpWeighsNoMoreThanAShortOne) {
  EXPECT_DOUBLE_EQ(FollowUpReward({{-100, 100}, {-2, 1}}, {}), -1.5);
}

TEST(FollowUpLikelihood, EmptySetsAndFollowUpsCountAsNothing) {
  EXPECT_EQ(FollowUpReward({}, {}), 0);
  EXPECT_DOUBLE_EQ(FollowUpReward({}, {{-6, 3}}), 2);
  EXPECT_EQ(FollowUpReward({{0, 0}}, {}), 0);
}

TEST(FollowUpLikelihood, TheBestAnswerIsChosenTheWorstRejected) {
  EXPECT_EQ(BestAgainstWorst({0.5, 2, -1, 2}), (AnswerPair{1, 2}));
  EXPECT_FALSE(BestAgainstWorst({0.5, 2, -1, 2}, 3).has_value());
  EXPECT_TRUE(BestAgainstWorst({0.5, 2, -1, 2}, 2.9).has_value());
  EXPECT_FALSE(BestAgainstWorst({1, 1}).has_value());
  EXPECT_FALSE(BestAgainstWorst({1}).has_value());
  EXPECT_FALSE(BestAgainstWorst({}).has_value());
}

}  // namespace
}  // namespace plumb
