#include "optim/core/cholesky.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_slogdet.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/tensor/random.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

at::Tensor Random(at::IntArrayRef sizes, int index) {
  return RandomStream(1, "cholesky_test").Child(index).NormalTensor(sizes, at::kDouble);
}

at::Tensor PositiveDefinite(int64_t size) {
  const at::Tensor root = Random({size, size}, 0);
  return at::mm(root, root.t()) + at::eye(size, at::kDouble);
}

void ExpectFactorOf(const Cholesky& cholesky, const at::Tensor& matrix, double tolerance = 1e-12) {
  ASSERT_EQ(cholesky.size(), matrix.size(0));
  const at::Tensor lower = cholesky.Lower(), error = at::mm(lower, lower.t()) - matrix;
  if (matrix.numel() > 0) {
    EXPECT_LE(error.abs().max().item<double>(), tolerance * matrix.abs().max().item<double>());
  }
}

// Without row and column `index`.
at::Tensor Without(const at::Tensor& matrix, int64_t index) {
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < matrix.size(0); ++i) {
    if (i != index) kept.push_back(i);
  }
  const at::Tensor indices = at::tensor(kept);
  return matrix.index_select(0, indices).index_select(1, indices);
}

TEST(CholeskyTest, FactorsSolvesAndMeasures) {
  for (const int64_t size : {1, 2, 7, 33}) {
    const at::Tensor matrix = PositiveDefinite(size);
    const Cholesky cholesky = Cholesky::Factor(matrix).value();
    EXPECT_EQ(cholesky.jitter(), 0);
    ExpectFactorOf(cholesky, matrix);
    EXPECT_EQ(cholesky.Lower().triu(1).abs().sum().item<double>(), 0);
    const at::Tensor x = Random({size, 3}, 1), lower = cholesky.Lower();
    const auto near = [](const at::Tensor& a, const at::Tensor& b) {
      return (a - b).abs().max().item<double>() < 1e-9;
    };
    EXPECT_TRUE(near(cholesky.Solve(at::mm(matrix, x)), x));
    EXPECT_TRUE(near(cholesky.SolveLower(at::mm(lower, x)), x));
    EXPECT_TRUE(near(cholesky.SolveUpper(at::mm(lower.t(), x)), x));
    EXPECT_TRUE(near(cholesky.Solve(x.select(1, 1)), cholesky.Solve(x).select(1, 1)));
    EXPECT_TRUE(near(at::mm(cholesky.Inverse(), matrix), at::eye(size, at::kDouble)));
    EXPECT_TRUE(cholesky.Inverse().equal(cholesky.Inverse().t()));
    EXPECT_NEAR(cholesky.LogDeterminant(), std::get<1>(at::linalg_slogdet(matrix)).item<double>(), 1e-10);
  }
}

TEST(CholeskyTest, ReadsTheLowerTriangleAlone) {
  const at::Tensor matrix = PositiveDefinite(5);
  EXPECT_TRUE(
      Cholesky::Factor(matrix.tril()).value().Lower().equal(Cholesky::Factor(matrix).value().Lower()));
}

TEST(CholeskyTest, FollowsRankOneChanges) {
  const at::Tensor matrix = PositiveDefinite(9), v = 3 * Random({9}, 1);
  Cholesky cholesky = Cholesky::Factor(matrix).value();
  PLUMB_EXPECT_OK(cholesky.Update(v));
  ExpectFactorOf(cholesky, matrix + at::outer(v, v));
  PLUMB_EXPECT_OK(cholesky.Downdate(v));
  ExpectFactorOf(cholesky, matrix, 1e-11);
}

TEST(CholeskyTest, ADowndateThatLosesDefinitenessChangesNothing) {
  const at::Tensor matrix = PositiveDefinite(4);
  Cholesky cholesky = Cholesky::Factor(matrix).value();
  const at::Tensor before = cholesky.Lower();
  EXPECT_THAT(cholesky.Downdate(10 * at::ones({4}, at::kDouble)).message(),
              HasSubstr("not be positive definite"));
  EXPECT_TRUE(cholesky.Lower().equal(before));
}

TEST(CholeskyTest, GrowsToTheSameBitsAndShrinks) {
  const at::Tensor matrix = PositiveDefinite(8);
  Cholesky cholesky;
  ExpectFactorOf(cholesky, at::zeros({0, 0}, at::kDouble));
  EXPECT_EQ(cholesky.LogDeterminant(), 0);
  const auto append = [&](int64_t more) {
    const int64_t size = cholesky.size();
    return cholesky.Append(matrix.narrow(0, 0, size).narrow(1, size, more),
                           matrix.narrow(0, size, more).narrow(1, size, more));
  };
  PLUMB_EXPECT_OK(append(1));
  PLUMB_EXPECT_OK(append(4));
  PLUMB_EXPECT_OK(append(3));
  EXPECT_TRUE(cholesky.Lower().equal(Cholesky::Factor(matrix).value().Lower()));
  for (const int64_t index : {0, 3, 7}) {
    Cholesky smaller = cholesky;
    PLUMB_EXPECT_OK(smaller.Remove(index));
    ExpectFactorOf(smaller, Without(matrix, index));
  }
  EXPECT_FALSE(cholesky.Remove(8).ok());
}

TEST(CholeskyTest, AnAppendThatLosesDefinitenessChangesNothing) {
  const at::Tensor matrix = PositiveDefinite(4);
  Cholesky cholesky = Cholesky::Factor(matrix).value();
  const at::Tensor before = cholesky.Lower();
  // The first new row would do, the second is the same again.
  const at::Tensor cross = at::zeros({4, 2}, at::kDouble), block = at::ones({2, 2}, at::kDouble);
  EXPECT_THAT(cholesky.Append(cross, block).message(), HasSubstr("pivot 5 is 0"));
  EXPECT_TRUE(cholesky.Lower().equal(before));
  EXPECT_FALSE(cholesky.Append(at::zeros({3, 1}, at::kDouble), block).ok());
}

TEST(CholeskyTest, JitterIsTheLeastThatHelpsAndReported) {
  const at::Tensor ones = at::full({3, 3}, 4.0, at::kDouble);  // of rank 1
  EXPECT_THAT(Cholesky::Factor(ones).status().message(), HasSubstr("pivot 1 is 0 at jitter 0"));
  Cholesky cholesky = Cholesky::Factor(ones, {1e-8, 1e-4}).value();
  EXPECT_NEAR(cholesky.jitter(), 4e-8, 1e-20);
  ExpectFactorOf(cholesky, ones + 4e-8 * at::eye(3, at::kDouble));
  // It joins what is appended.
  PLUMB_EXPECT_OK(cholesky.Append(at::full({3, 1}, 4.0, at::kDouble), at::full({1, 1}, 4.0, at::kDouble)));
  ExpectFactorOf(cholesky, at::full({4, 4}, 4.0, at::kDouble) + 4e-8 * at::eye(4, at::kDouble));

  const at::Tensor negative = at::eye(2, at::kDouble) - 1.00001 * at::ones({2, 2}, at::kDouble);
  EXPECT_THAT(Cholesky::Factor(negative, {1e-8, 1e-4}).status().message(),
              HasSubstr("not positive definite"));
  const std::string nan(Cholesky::Factor(ones * std::nan(""), {1e-8, 1e-4}).status().message());
  EXPECT_EQ(nan.substr(nan.size() - 11), "at jitter 0");  // no jitter would help
  EXPECT_FALSE(Cholesky::Factor(at::zeros({2, 3}, at::kDouble)).ok());
}

TEST(CholeskyTest, BatchesFailOneByOne) {
  const at::Tensor good = PositiveDefinite(3);
  const auto factors = Cholesky::FactorBatch(at::stack({good, -good, 2 * good}));
  ASSERT_EQ(factors.size(), 3);
  ExpectFactorOf(factors[0].value(), good);
  EXPECT_FALSE(factors[1].ok());
  ExpectFactorOf(factors[2].value(), 2 * good);
}

}  // namespace
}  // namespace plumb
