#include "common/tensor/packed.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

std::vector<int64_t> Ids(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

std::vector<double> Doubles(const at::Tensor& tensor) {
  const at::Tensor copy = tensor.to(at::kDouble).contiguous();
  return {copy.const_data_ptr<double>(), copy.const_data_ptr<double>() + copy.numel()};
}

TEST(PackedTest, SequencesLieEndToEnd) {
  const PackedTokens packed = PackSequences({{5, 6, 7}, {}, {8}});
  EXPECT_EQ(Ids(packed.token_ids), (std::vector<int64_t>{5, 6, 7, 8}));
  EXPECT_EQ(Ids(packed.position_ids), (std::vector<int64_t>{0, 1, 2, 0}));
  ASSERT_EQ(packed.segments.size(), 3u);
  EXPECT_EQ(packed.segments[1].length(), 0);
  EXPECT_EQ(packed.segments[2].begin, 3);
  EXPECT_EQ(packed.segments[2].parent, Segment::kNoParent);
  EXPECT_EQ(packed.size(), 4);
}

TEST(PackedTest, NothingPacksToNothing) {
  const PackedTokens packed = PackSequences({});
  EXPECT_EQ(packed.size(), 0);
  EXPECT_EQ(packed.token_ids.numel(), 0);
}

TEST(PackedTest, ABranchContinuesItsParentsPositions) {
  const PackedTokens packed = PackTree({{1, 2}, {3, 4}, {5}, {6}}, {-1, 0, 0, 1});
  EXPECT_EQ(Ids(packed.token_ids), (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Ids(packed.position_ids), (std::vector<int64_t>{0, 1, 2, 3, 2, 4}));
  EXPECT_EQ(packed.segments[3].parent, 1);
}

TEST(PackedTest, AParentMustComeFirst) {
  EXPECT_THROW(PackTree({{1}, {2}}, {1, -1}), c10::Error);
  EXPECT_THROW(PackTree({{1}}, {0}), c10::Error);
  EXPECT_THROW(PackTree({{1}}, {-2}), c10::Error);
  EXPECT_THROW(PackTree({{1}}, {}), c10::Error);
}

TEST(SumSegmentsTest, SumsEachSegment) {
  const PackedTokens packed = PackSequences({{1, 1, 1}, {}, {1}});
  const at::Tensor values = at::arange(1, 5, at::kDouble);
  const at::Tensor sums = SumSegments(values, packed.segments);
  EXPECT_EQ(sums.scalar_type(), at::kDouble);
  EXPECT_EQ(Doubles(sums), (std::vector<double>{6, 0, 4}));
  EXPECT_EQ(SumSegments(values, {}).numel(), 0);
  EXPECT_EQ(SumSegments(values.to(at::kBFloat16), packed.segments).scalar_type(), at::kFloat);
}

TEST(SumSegmentsTest, RowsMayBeLeftOutOrCountedTwice) {
  const at::Tensor values = at::arange(1, 6, at::kFloat).requires_grad_(true);
  const at::Tensor sums = SumSegments(values, {Segment{1, 3}, Segment{2, 4}});
  EXPECT_EQ(Doubles(sums), (std::vector<double>{5, 7}));
  (sums * at::arange(1, 3, at::kFloat)).sum().backward();
  EXPECT_EQ(Doubles(values.grad()), (std::vector<double>{0, 1, 3, 2, 0}));
  EXPECT_THROW(SumSegments(values, {Segment{4, 6}}), c10::Error);
}

TEST(SumSegmentsTest, LongSumsKeepTheirDigits) {
  const int64_t size = 1 << 20;
  const at::Tensor values = at::ones({size}, at::kFloat) * 0.1f;
  EXPECT_NEAR(SumSegments(values, {Segment{0, size}}).item<float>() / (size * double{0.1f}), 1, 1e-7);
}

}  // namespace
}  // namespace plumb
