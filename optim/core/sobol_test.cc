#include "optim/core/sobol.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace plumb {
namespace {

double At(const at::Tensor& points, int64_t row, int64_t column) {
  return points[row][column].item<double>();
}

// Of every 2^k points in a row, one in each interval of length 2^-k, in each coordinate.
void ExpectOnePointInEachInterval(const at::Tensor& points) {
  const int64_t count = points.size(0);
  for (int64_t d = 0; d < points.size(1); ++d) {
    std::vector<bool> seen(count);
    for (int64_t i = 0; i < count; ++i) seen[At(points, i, d) * count] = true;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), count) << "dimension " << d;
  }
}

// scipy 1.17.1: scipy.stats.qmc.Sobol(64, scramble=False).random(1024).
TEST(SobolTest, PlainPointsAreScipys) {
  const at::Tensor points = SobolSequence::Create(64).value().Points(0, 1024);
  const int64_t columns[] = {0, 1, 2, 5, 31, 63};
  const double fifth[] = {0.875, 0.875, 0.125, 0.625, 0.625, 0.625};
  const double late[] = {0.2197265625, 0.0966796875, 0.5185546875, 0.9072265625, 0.1455078125, 0.4462890625};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(At(points, 0, columns[i]), 0);
    EXPECT_EQ(At(points, 5, columns[i]), fifth[i]);
    EXPECT_EQ(At(points, 1000, columns[i]), late[i]);
  }
  ExpectOnePointInEachInterval(points);
}

TEST(SobolTest, ScramblingKeepsWhatIsEvenAndDependsOnTheStream) {
  const RandomStream stream(1, "sobol_test");
  const SobolSequence sequence = SobolSequence::Scrambled(64, stream).value();
  const at::Tensor points = sequence.Points(0, 256);
  ExpectOnePointInEachInterval(points);
  EXPECT_TRUE(points.equal(SobolSequence::Scrambled(64, stream).value().Points(0, 256)));
  EXPECT_FALSE(
      points.equal(SobolSequence::Scrambled(64, RandomStream(2, "sobol_test")).value().Points(0, 256)));
  // In two dimensions: one point in each of the 16 x 16 cells.
  const at::Tensor plane = sequence.Points(0, 256);
  std::vector<bool> seen(256);
  for (int64_t i = 0; i < 256; ++i) seen[int(At(plane, i, 0) * 16) * 16 + int(At(plane, i, 1) * 16)] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 256);
}

TEST(SobolTest, APointIsAFunctionOfItsIndex) {
  const SobolSequence sequence = SobolSequence::Scrambled(3, RandomStream(1, "sobol_test")).value();
  const at::Tensor all = sequence.Points(0, 100);
  EXPECT_TRUE(sequence.Points(37, 20).equal(all.narrow(0, 37, 20)));
  EXPECT_EQ(sequence.Points(5, 0).size(0), 0);
}

TEST(SobolTest, IntegratesBetterThanRandomPoints) {
  const SobolSequence sequence = SobolSequence::Scrambled(6, RandomStream(1, "sobol_test")).value();
  const at::Tensor points = sequence.Points(0, 4096);
  EXPECT_NEAR((points * 1.5 + 0.25).prod(1).mean().item<double>(), 1, 1e-3);  // random points: 2e-2
}

TEST(SobolTest, RefusesDimensionsWithoutNumbers) {
  EXPECT_FALSE(SobolSequence::Create(0).ok());
  EXPECT_FALSE(SobolSequence::Create(65).ok());
}

}  // namespace
}  // namespace plumb
