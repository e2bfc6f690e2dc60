#include "alignment/selection/ches.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

// H = 2: chosen answers at rows 0..2 and 2..3, rejected ones at rows 3..4 and 4..7.
at::Tensor States() {
  return at::tensor({1., 2., 3., -1., 0.5, 4., 2., 2., 1., 0., 0., 1., -3., 5.}, at::kDouble).view({7, 2});
}
const std::vector<Segment> kChosen = {{0, 2}, {2, 3}};
const std::vector<Segment> kRejected = {{3, 4}, {4, 7}};

TEST(Ches, IsTheSimilarityOfSumsLessTheChosenOnesOwn) {
  const at::Tensor scores = ChesScores(States(), kChosen, kRejected, /*length_normalized=*/false);
  // Sums (4, 1) and (2, 2): 10 - 17. Sums (0.5, 4) and (-2, 6): 23 - 16.25.
  EXPECT_EQ(scores.scalar_type(), at::kDouble);
  EXPECT_DOUBLE_EQ(scores[0].item<double>(), -7);
  EXPECT_DOUBLE_EQ(scores[1].item<double>(), 6.75);
}

TEST(Ches, LengthNormalisedIsThatOfMeans) {
  const at::Tensor scores = ChesScores(States(), kChosen, kRejected, /*length_normalized=*/true);
  // Means (2, 0.5) and (2, 2): 5 - 4.25. Means (0.5, 4) and (-2/3, 2): 23/3 - 16.25.
  EXPECT_DOUBLE_EQ(scores[0].item<double>(), 0.75);
  EXPECT_NEAR(scores[1].item<double>(), 23.0 / 3 - 16.25, 1e-15);
}

TEST(Ches, OfTheSameAnswerTwiceIsZero) {
  const at::Tensor states = States().to(at::kFloat);
  const at::Tensor scores = ChesScores(states, {{0, 3}}, {{0, 3}}, /*length_normalized=*/false);
  EXPECT_EQ(scores[0].item<double>(), 0);
}

TEST(Ches, AnAnswerWithoutTokensCountsAsZero) {
  const at::Tensor scores = ChesScores(States(), {{0, 0}, {0, 2}}, {{0, 2}, {2, 2}}, true);
  EXPECT_EQ(scores[0].item<double>(), 0);
  EXPECT_DOUBLE_EQ(scores[1].item<double>(), -4.25);
  EXPECT_EQ(ChesScores(States(), {}, {}, true).numel(), 0);
}

}  // namespace
}  // namespace plumb
