#include "optim/zeroth_order/consensus.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/kernels/gradient_testing.h"
#include "common/kernels/normal_noise.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;

TEST(ConsensusPointTest, IsTheSoftMinimum) {
  const at::Tensor x = Numbers({3, 2}, 0.1);
  const at::Tensor f = at::tensor({1.0, 3.0, 2.0}, at::kDouble);
  const double a = std::exp(-0.0), b = std::exp(-1.0), c = std::exp(-0.5);
  EXPECT_LT(Difference(ConsensusPoint(x, f, 0.5).value(), (a * x[0] + b * x[1] + c * x[2]) / (a + b + c)),
            1e-15);
  // alpha 0 is the mean, a large alpha the best particle, whatever the values' size (Laplace's principle).
  EXPECT_LT(Difference(ConsensusPoint(x, f, 0).value(), x.mean(0)), 1e-15);
  EXPECT_LT(Difference(ConsensusPoint(x, f - 1e6, 1e4).value(), x[0]), 1e-15);
}

TEST(ConsensusPointTest, FailuresHaveNoWeight) {
  const at::Tensor x = Numbers({4, 2}, 0.1);
  const at::Tensor f = at::tensor({NAN, 1.0, INFINITY, -INFINITY}, at::kDouble);
  EXPECT_LT(Difference(ConsensusPoint(x, f, 1).value(), x[1]), 1e-15);
  EXPECT_THAT(ConsensusPoint(x, at::full({4}, NAN, at::kDouble), 1).status().message(),
              HasSubstr("none of 4 particles"));
}

TEST(ConsensusStepTest, IsEulerAndMaruyamas) {
  const at::Tensor x = Numbers({5, 3}, 0.1), f = Numbers({5}, 0.2);
  const RandomStream random(1, "noise");
  const at::Tensor c = ConsensusPoint(x, f, 30).value(), xi = at::zeros({5, 3}, at::kDouble);
  AddNormalNoise(random, 1, 1, xi);
  ConsensusOptions options;
  options.lambda = 1.5, options.sigma = 0.7, options.dt = 0.04;
  EXPECT_LT(
      Difference(ConsensusStep(x, f, options, random).value(), x - 0.06 * (x - c) + 0.14 * (x - c) * xi),
      1e-15);
  options.isotropic = true;
  EXPECT_LT(Difference(ConsensusStep(x, f, options, random).value(),
                       x - 0.06 * (x - c) + 0.14 * (x - c).norm(2, 1, true) * xi),
            1e-15);
  options.dt = 0;
  EXPECT_THAT(ConsensusStep(x, f, options, random).status().message(), HasSubstr("dt must be above 0"));
}

// f(y) = sum of a_j (y_j - b_j)^2 / 2: the implicit gradient step of length tau is (x + tau a b) / (1 + tau
// a).
TEST(HoppingTest, IsAnImplicitGradientStepOnQuadratics) {
  const at::Tensor a = at::tensor({0.5, 1.0, 4.0}, at::kDouble),
                   b = at::tensor({1.0, -1.0, 0.2}, at::kDouble);
  const at::Tensor x = at::tensor({0.3, 0.4, -0.5}, at::kDouble);
  constexpr double kWidth = 0.5;
  constexpr int64_t kSamples = 200000;
  for (const double alpha : {0.5, 2.0, 8.0}) {
    const at::Tensor samples = HoppingSamples(x, kSamples, kWidth, RandomStream(1, "hop"));
    const at::Tensor values = (0.5 * a * (samples - b).square()).sum(1);
    const double tau = alpha * kWidth * kWidth;
    EXPECT_LT(Difference(ConsensusPoint(samples, values, alpha).value(), (x + tau * a * b) / (1 + tau * a)),
              0.01)
        << alpha;
  }
}

// Ackley's function in ten dimensions: a local minimum in every unit cube, and a start that is not centred on
// the global one.
TEST(ConsensusTest, FindsTheGlobalMinimumOfAckley) {
  for (const uint64_t seed : {1, 2, 3}) {
    const RandomStream random(seed, "cbo");
    at::Tensor x = random.Child("start").UniformTensor({100, 10}, at::kDouble) * 6 - 2;
    const auto values = [](const at::Tensor& y) {
      return 20 + M_E - 20 * at::exp(-0.2 * y.square().mean(1).sqrt()) -
             at::exp(at::cos(2 * M_PI * y).mean(1));
    };
    for (int64_t step = 0; step < 800; ++step) {
      x = ConsensusStep(x, values(x), {}, random.Child(step)).value();
    }
    // The next minimum, one step along one axis, has 1.2.
    EXPECT_LT(values(x).min().item<double>(), 0.5);
  }
}

TEST(ConsensusTest, ThreadsDoNotChangeTheResult) {
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    at::Tensor x = RandomStream(1, "x").NormalTensor({3000, 20}, at::kFloat);
    for (int64_t step = 0; step < 3; ++step) {
      x = ConsensusStep(x, x.select(1, 0).square(), {}, RandomStream(2, "n").Child(step)).value();
    }
    results.push_back(x);
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

}  // namespace
}  // namespace plumb
