#include "common/kernels/normal_noise.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace plumb {
namespace {

// Number i by the generator and the mathematical library.
double Expected(const RandomStream& random, int64_t i) {
  const uint64_t pair = i / 2;
  const auto words =
      Philox4x32({static_cast<uint32_t>(pair), static_cast<uint32_t>(pair >> 32), 0x6e, 0}, random.Bits(0));
  const uint64_t a = words[0] | static_cast<uint64_t>(words[1]) << 32;
  const uint64_t b = words[2] | static_cast<uint64_t>(words[3]) << 32;
  const double radius = std::sqrt(-2 * std::log1p(-static_cast<double>(a >> 12) * 0x1p-52));
  const double angle = ((b >> 12) * 0x1p-52 - 0.5) * M_PI / 2;
  const bool cosine = (i % 2 == 0) != ((b & 1) != 0);
  return ((b & 2) != 0 ? -1 : 1) * radius * (cosine ? std::cos(angle) : std::sin(angle));
}

TEST(NormalNoiseTest, NumbersAreThoseOfTheGenerator) {
  const RandomStream random(1, "noise");
  const at::Tensor noise = at::zeros({20001}, at::kDouble), narrow = at::zeros({20001}, at::kFloat);
  AddNormalNoise(random, 1, 1, noise);
  AddNormalNoise(random, 1, 1, narrow);
  const double* numbers = noise.const_data_ptr<double>();
  for (int64_t i = 0; i < noise.numel(); ++i) {
    const double expected = Expected(random, i);
    ASSERT_NEAR(numbers[i], expected, 2e-15 * std::max(1.0, std::abs(expected))) << i;
    ASSERT_NEAR(narrow.const_data_ptr<float>()[i], expected, 5e-7 * std::max(1.0, std::abs(expected))) << i;
  }
}

TEST(NormalNoiseTest, AddsAndScales) {
  const RandomStream random(2, "noise");
  at::Tensor wide = at::full({3, 1001}, 5.0, at::kDouble), narrow = at::full({3, 1001}, 5.0, at::kFloat);
  AddNormalNoise(random, 0.5, 0.25, wide);
  AddNormalNoise(random, 0.5, 0.25, narrow);
  for (const int64_t i : {0, 1, 127, 128, 3002}) {
    const double expected = (5 + 0.5 * Expected(random, i)) * 0.25;
    EXPECT_NEAR(wide.view(-1)[i].item<double>(), expected, 1e-15);
    EXPECT_NEAR(narrow.view(-1)[i].item<double>(), expected, 1e-6);
  }
}

// Mean, variance, fourth moment, the correlation of pairs and a tail, each within five deviations.
TEST(NormalNoiseTest, NumbersAreNormal) {
  constexpr int64_t kCount = 1 << 22;
  const at::Tensor noise = at::zeros({kCount}, at::kDouble);
  AddNormalNoise(RandomStream(3, "noise"), 1, 1, noise);
  const double bound = 5 / std::sqrt(kCount);
  EXPECT_NEAR(noise.mean().item<double>(), 0, bound);
  EXPECT_NEAR(noise.square().mean().item<double>(), 1, bound * std::sqrt(2));
  EXPECT_NEAR(noise.pow(4).mean().item<double>(), 3, bound * std::sqrt(96));
  const at::Tensor pairs = noise.view({-1, 2});
  EXPECT_NEAR((pairs.select(1, 0) * pairs.select(1, 1)).mean().item<double>(), 0, bound * std::sqrt(2));
  EXPECT_NEAR((pairs.square().select(1, 0) * pairs.square().select(1, 1)).mean().item<double>(), 1,
              bound * std::sqrt(16));
  const double tail = std::erfc(3 / std::sqrt(2));
  EXPECT_NEAR(noise.abs().gt(3).to(at::kDouble).mean().item<double>(), tail, bound * std::sqrt(tail));
}

TEST(NormalNoiseTest, ElementsDependOnNothingElse) {
  const RandomStream random(4, "noise");
  const auto noise = [&](int64_t size, int threads) {
    at::set_num_threads(threads);
    const at::Tensor tensor = at::zeros({size});
    AddNormalNoise(random, 1, 1, tensor);
    return tensor;
  };
  const at::Tensor all = noise(70001, 3);
  EXPECT_TRUE(at::equal(all, noise(70001, 1)));
  EXPECT_TRUE(at::equal(all.slice(0, 0, 301), noise(301, 1)));
  EXPECT_EQ(noise(0, 1).numel(), 0);
}

TEST(NormalNoiseTest, StreamsDiffer) {
  const at::Tensor a = at::zeros({2}), b = at::zeros({2});
  AddNormalNoise(RandomStream(5, "a"), 1, 1, a);
  AddNormalNoise(RandomStream(5, "b"), 1, 1, b);
  EXPECT_FALSE(at::equal(a, b));
}

}  // namespace
}  // namespace plumb
