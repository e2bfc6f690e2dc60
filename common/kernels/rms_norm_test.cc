#include "common/kernels/rms_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

constexpr double kEps = 1e-5;

at::Tensor Plain(const at::Tensor& x, const at::Tensor& weight, double eps = kEps) {
  return x / at::sqrt((x * x).sum(1, /*keepdim=*/true) / x.size(1) + eps) * weight;
}

TEST(RmsNormTest, IsTheFormula) {
  const at::Tensor x = Numbers({3, 8}, 0, 5), weight = Numbers({8}, 1);
  EXPECT_LE(Difference(RmsNorm(x, weight, kEps), Plain(x, weight)), 1e-14);
  EXPECT_LE(Difference(RmsNorm(x, weight, 10), Plain(x, weight, 10)), 1e-14);
  const at::Tensor narrow = RmsNorm(x.to(at::kFloat), weight.to(at::kFloat), kEps);
  EXPECT_EQ(narrow.scalar_type(), at::kFloat);
  EXPECT_LE(Difference(narrow, Plain(x, weight)), 1e-6);
}

TEST(RmsNormTest, GradientsAreFiniteDifferences) {
  const at::Tensor x = Numbers({3, 4}, 0).requires_grad_(true), weight = Numbers({4}, 1).requires_grad_(true);
  ExpectGradientsAreFiniteDifferences({x, weight}, [&] { return RmsNorm(x, weight, kEps); });
}

TEST(RmsNormTest, Bf16IsRoundedBeforeTheWeight) {
  const at::Tensor x = Numbers({64, 32}, 0, 3).to(at::kBFloat16), weight = Numbers({32}, 1).to(at::kBFloat16);
  const at::Tensor normal = Plain(x.to(at::kFloat), at::ones({32})).to(at::kBFloat16);
  const at::Tensor result = RmsNorm(x, weight, kEps);
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(result.equal(normal * weight));
  // Rounding once, at the end, gives other numbers.
  EXPECT_FALSE(result.equal(Plain(x.to(at::kFloat), weight.to(at::kFloat)).to(at::kBFloat16)));
}

TEST(RmsNormTest, Bf16SquaresAreSummedInF32) {
  // In bf16 the sum of 4096 ones stops at 256.
  const at::Tensor x = at::ones({1, 4096}, at::kBFloat16);
  EXPECT_TRUE(RmsNorm(x, at::ones({4096}, at::kBFloat16), 0).equal(x));
}

TEST(RmsNormTest, ZerosStayZeros) {
  EXPECT_TRUE(RmsNorm(at::zeros({2, 4}), at::ones({4}), kEps).equal(at::zeros({2, 4})));
  EXPECT_EQ(RmsNorm(at::zeros({0, 4}), at::ones({4}), kEps).sizes(), at::IntArrayRef({0, 4}));
}

// Values and gradients of the kernel's own body and of LibTorch's operators.
TEST(RmsNormTest, BothBodiesAgree) {
  for (const auto& [dtype, tolerance] :
       {std::pair(at::kDouble, 1e-13), std::pair(at::kFloat, 5e-5), std::pair(at::kBFloat16, 0.5)}) {
    std::vector<at::Tensor> results[2];
    for (const bool fused : {false, true}) {
      std::optional<ScopedUnfusedKernels> unfused;
      if (!fused) unfused.emplace();
      const at::Tensor x = Numbers({150, 72}, 0, 3).to(dtype).requires_grad_(true),
                       weight = Numbers({72}, 1).to(dtype).requires_grad_(true);
      const at::Tensor output = RmsNorm(x, weight, kEps);
      EXPECT_EQ(output.scalar_type(), dtype);
      output.backward(Numbers(output.sizes(), 5).to(dtype));
      results[fused] = {output.detach(), x.grad(), weight.grad()};
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_LE(Difference(results[0][i], results[1][i]), tolerance) << "result " << i << ", " << dtype;
    }
  }
}

}  // namespace
}  // namespace plumb
