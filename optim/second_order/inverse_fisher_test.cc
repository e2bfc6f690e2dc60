#include "optim/second_order/inverse_fisher.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/inverse.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/kernels/gradient_testing.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

constexpr double kDamp = 1e-2;

// (damp I + G^T G / m)^-1, with m said: rows that are missing are zero.
at::Tensor ExplicitInverse(const at::Tensor& gradients, int64_t m) {
  return at::inverse(kDamp * at::eye(gradients.size(1), at::kDouble) + at::mm(gradients.t(), gradients) / m);
}

TEST(InverseFisherTest, IsTheExplicitInverse) {
  const at::Tensor gradients = Numbers({12, 30}, 0.1), x = Numbers({30}, 0.2);
  const at::Tensor inverse = ExplicitInverse(gradients, 12);
  const InverseFisher fisher(gradients.clone(), kDamp);
  EXPECT_LT(Difference(fisher.Multiply(x), at::mv(inverse, x)), 1e-9);
  EXPECT_LT(Difference(fisher.Diagonal(), inverse.diagonal()), 1e-9);
  EXPECT_NEAR(fisher.Element(3, 7), inverse[3][7].item<double>(), 1e-9);
  EXPECT_NEAR(fisher.Element(5, 5), inverse[5][5].item<double>(), 1e-9);
}

// More gradients than numbers in each: the Fisher matrix is of full rank.
TEST(InverseFisherTest, AllowsMoreGradientsThanWeights) {
  const at::Tensor gradients = Numbers({40, 7}, 0.1), x = Numbers({7}, 0.2);
  const at::Tensor product = at::mv(ExplicitInverse(gradients, 40), x);
  EXPECT_LT(Difference(InverseFisher(gradients.clone(), kDamp).Multiply(x), product), 1e-9);
  SlidingInverseFisher sliding(40, 7, kDamp, at::kDouble);
  for (int64_t i = 0; i < 40; ++i) sliding.Push(gradients[i]);
  EXPECT_LT(Difference(sliding.Multiply(x), product), 1e-9);
}

TEST(SlidingInverseFisherTest, IsTheExplicitInverseAtEveryStep) {
  constexpr int64_t kWindow = 8;
  const at::Tensor gradients = Numbers({50, 30}, 0.3), x = Numbers({30}, 0.2);
  SlidingInverseFisher fisher(kWindow, 30, kDamp, at::kDouble);
  EXPECT_LT(Difference(fisher.Multiply(x), x / kDamp), 1e-12);
  for (int64_t i = 0; i < 50; ++i) {
    fisher.Push(gradients[i]);
    const at::Tensor window = gradients.slice(0, std::max<int64_t>(0, i + 1 - kWindow), i + 1);
    const at::Tensor inverse = ExplicitInverse(window, kWindow);
    EXPECT_LT(Difference(fisher.Multiply(x), at::mv(inverse, x)), 1e-9) << i;
    EXPECT_LT(Difference(fisher.MultiplyNewest(), at::mv(inverse, gradients[i])), 1e-9) << i;
  }
}

// Errors leave with the gradients that made them.
TEST(SlidingInverseFisherTest, DoesNotDrift) {
  SlidingInverseFisher fisher(6, 20, kDamp, at::kDouble);
  at::Tensor last;
  for (int64_t i = 0; i < 3000; ++i) {
    // Gradients of very different sizes, many of them nearly parallel.
    last = Numbers({20}, 0.001 * i, i % 7 == 0 ? 100 : 0.1);
    fisher.Push(last);
  }
  const at::Tensor inverse = ExplicitInverse(fisher.gradients(), 6);
  EXPECT_LT(Difference(fisher.MultiplyNewest(), at::mv(inverse, last)), 1e-9);
}

TEST(SlidingInverseFisherTest, AgreesWithTheStaticForm) {
  const at::Tensor gradients = RandomStream(1, "g").NormalTensor({16, 9000}, at::kFloat);
  const at::Tensor x = RandomStream(1, "x").NormalTensor({9000}, at::kFloat);
  SlidingInverseFisher sliding(16, 9000, kDamp, at::kFloat);
  for (int64_t i = 0; i < 16; ++i) sliding.Push(gradients[i]);
  const at::Tensor product = sliding.Multiply(x);
  EXPECT_LT(Difference(InverseFisher(gradients.clone(), kDamp).Multiply(x), product),
            1e-5 * product.abs().max().item<double>());
}

TEST(InverseFisherTest, ThreadsDoNotChangeTheResult) {
  const at::Tensor gradients = RandomStream(1, "g").NormalTensor({5, 70001}, at::kFloat);
  std::vector<at::Tensor> fixed, sliding;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    fixed.push_back(InverseFisher(gradients.clone(), kDamp).Multiply(gradients[0]));
    SlidingInverseFisher fisher(4, 70001, kDamp, at::kFloat);
    for (int64_t i = 0; i < 5; ++i) fisher.Push(gradients[i]);
    sliding.push_back(fisher.Multiply(gradients[0]) + fisher.MultiplyNewest());
  }
  for (const int i : {1, 2}) {
    EXPECT_TRUE(at::equal(fixed[0], fixed[i]));
    EXPECT_TRUE(at::equal(sliding[0], sliding[i]));
  }
}

}  // namespace
}  // namespace plumb
