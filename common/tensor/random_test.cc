#include "common/tensor/random.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace plumb {
namespace {

// kat_vectors of the authors' Random123 1.14.
TEST(Philox4x32Test, GivesTheAuthorsKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStreamTest, SeedNameAndIndexAllMatter) {
  const RandomStream stream(7, "data");
  EXPECT_EQ(stream.Bits(3), RandomStream(7, "data").Bits(3));
  EXPECT_NE(stream.Bits(3), stream.Bits(2));
  EXPECT_NE(stream.Bits(3), RandomStream(8, "data").Bits(3));
  EXPECT_NE(stream.Bits(3), RandomStream(7, "date").Bits(3));
  EXPECT_NE(stream.Bits(3), stream.Child("x").Bits(3));
  EXPECT_NE(stream.Bits(3), stream.Child(uint64_t{0}).Bits(3));
  EXPECT_NE(stream.Child(1).Bits(3), stream.Child(2).Bits(3));
  EXPECT_NE(stream.Child("a").Child("b").Bits(3), stream.Child("b").Child("a").Bits(3));
}

// A value that changes breaks the resuming of every run that has been started.
TEST(RandomStreamTest, NumbersStayWhatTheyWere) {
  const RandomStream stream(42, "weights");
  EXPECT_EQ(stream.Bits(0), 14977872019763671849u);
  EXPECT_EQ(stream.Child("layer").Child(5).Bits(1), 17269996313403165018u);
}

TEST(RandomStreamTest, TensorsHoldTheNumbersOfTheStream) {
  const RandomStream stream(1, "t");
  for (const int64_t size : {0, 1, 2, 9, 10001}) {
    const at::Tensor uniform = stream.UniformTensor({size}, at::kDouble);
    const at::Tensor normal = stream.NormalTensor({size}, at::kDouble);
    const at::Tensor uniform32 = stream.UniformTensor({size}, at::kFloat);
    const at::Tensor normal32 = stream.NormalTensor({size}, at::kFloat);
    for (int64_t i = 0; i < size; ++i) {
      ASSERT_EQ(uniform.const_data_ptr<double>()[i], stream.Uniform(i));
      ASSERT_EQ(normal.const_data_ptr<double>()[i], stream.Normal(i));
      ASSERT_NEAR(uniform32.const_data_ptr<float>()[i], stream.Uniform(i), 1e-7);
      ASSERT_EQ(normal32.const_data_ptr<float>()[i], static_cast<float>(stream.Normal(i)));
    }
  }
  EXPECT_EQ(stream.NormalTensor({2, 3}, at::kFloat).sizes(), at::IntArrayRef({2, 3}));
  EXPECT_THROW(stream.NormalTensor({2}, at::kLong), c10::Error);
}

TEST(RandomStreamTest, ThreadsDoNotMatter) {
  const RandomStream stream(1, "t");
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = stream.NormalTensor({100003}, at::kFloat);
  at::set_num_threads(3);
  const at::Tensor three = stream.NormalTensor({100003}, at::kFloat);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, three));
}

// Bounds are six standard deviations of each estimate: a correct generator passes for nearly every seed.
TEST(RandomStreamTest, MomentsAreThoseOfTheDistribution) {
  constexpr int64_t kSize = 200000;
  const RandomStream stream(3, "moments");
  double uniform_sum = 0, normal_sum = 0, normal_squares = 0, normal_fourth = 0, lag = 0, cross = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    const double u = stream.Uniform(i), z = stream.Normal(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    uniform_sum += u;
    normal_sum += z;
    normal_squares += z * z;
    normal_fourth += z * z * z * z;
    lag += z * stream.Normal(i + 1);
    cross += (u - 0.5) * z;
  }
  const double sigma = 6 / std::sqrt(kSize);
  EXPECT_NEAR(uniform_sum / kSize, 0.5, sigma * std::sqrt(1.0 / 12));
  EXPECT_NEAR(normal_sum / kSize, 0, sigma);
  EXPECT_NEAR(normal_squares / kSize, 1, sigma * std::sqrt(2));
  EXPECT_NEAR(normal_fourth / kSize, 3, sigma * std::sqrt(96));
  EXPECT_NEAR(lag / kSize, 0, sigma);
  EXPECT_NEAR(cross / kSize, 0, sigma * std::sqrt(1.0 / 12));
}

TEST(RandomStreamTest, BelowIsEven) {
  const RandomStream stream(5, "below");
  constexpr int kBound = 7, kSize = 70000;
  std::array<int, kBound> counts{};
  for (int i = 0; i < kSize; ++i) ++counts.at(stream.Below(i, kBound));
  for (const int count : counts) EXPECT_NEAR(count, kSize / kBound, 6 * std::sqrt(kSize / kBound));
  EXPECT_EQ(stream.Below(0, 1), 0u);
  EXPECT_THROW(stream.Below(0, 0), c10::Error);
}

TEST(RandomStreamTest, PermutationHoldsEachNumberOnce) {
  const RandomStream stream(9, "order");
  for (const int64_t size : {0, 1, 2, 100}) {
    std::vector<int64_t> order = stream.Permutation(size);
    EXPECT_EQ(order, stream.Permutation(size));
    EXPECT_EQ(std::is_sorted(order.begin(), order.end()), size < 2 || (size == 2 && order[0] == 0));
    std::sort(order.begin(), order.end());
    std::vector<int64_t> expected(size);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  }
  // All six orders of three come up equally often.
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t i = 0; i < 6000; ++i) ++counts[stream.Child(i).Permutation(3)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 6 * std::sqrt(1000));
}

}  // namespace
}  // namespace plumb
