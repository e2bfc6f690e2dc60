#include "common/kernels/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

// 3 tokens, 2 heads of 4 pairs, an angle for each token and pair.
struct Example {
  at::Tensor x = Numbers({3, 2, 8}, 0), angles = Numbers({3, 4}, 1, 3);
  at::Tensor cos = at::cos(angles), sin = at::sin(angles);
};

TEST(RotaryTest, RotatesEachPairByItsAngle) {
  const Example e;
  const at::Tensor rotated = ApplyRotary(e.x, e.cos, e.sin);
  ASSERT_EQ(rotated.sizes(), e.x.sizes());
  for (int token = 0; token < 3; ++token) {
    for (int head = 0; head < 2; ++head) {
      for (int pair = 0; pair < 4; ++pair) {
        const double c = e.cos[token][pair].item<double>(), s = e.sin[token][pair].item<double>();
        const double x1 = e.x[token][head][pair].item<double>(),
                     x2 = e.x[token][head][pair + 4].item<double>();
        EXPECT_NEAR(rotated[token][head][pair].item<double>(), x1 * c - x2 * s, 1e-15);
        EXPECT_NEAR(rotated[token][head][pair + 4].item<double>(), x2 * c + x1 * s, 1e-15);
      }
    }
  }
}

TEST(RotaryTest, TheScoreOfTwoTokensDependsOnTheirDistance) {
  const Example e;
  const auto score = [&](double q_position, double k_position) {
    const at::Tensor q = ApplyRotary(e.x, at::cos(e.angles * q_position), at::sin(e.angles * q_position));
    const at::Tensor k = ApplyRotary(e.x + 1, at::cos(e.angles * k_position), at::sin(e.angles * k_position));
    return (q * k).sum(-1);
  };
  EXPECT_LE(Difference(score(7, 3), score(5, 1)), 1e-13);
  EXPECT_GT(Difference(score(7, 3), score(7, 1)), 0.1);
}

TEST(RotaryTest, GradientsAreFiniteDifferences) {
  Example e;
  e.x.requires_grad_(true);
  ExpectGradientsAreFiniteDifferences({e.x}, [&] { return ApplyRotary(e.x, e.cos, e.sin); });
}

TEST(RotaryTest, Bf16IsRotatedInF32AndRoundedOnce) {
  const Example e;
  const at::Tensor x = e.x.to(at::kBFloat16), cos = e.cos.to(at::kFloat), sin = e.sin.to(at::kFloat);
  const at::Tensor rotated = ApplyRotary(x, cos, sin);
  EXPECT_EQ(rotated.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(rotated.equal(ApplyRotary(x.to(at::kFloat), cos, sin).to(at::kBFloat16)));
}

TEST(RotaryTest, F32StaysF32WithF64Angles) {
  const Example e;
  EXPECT_EQ(ApplyRotary(e.x.to(at::kFloat), e.cos, e.sin).scalar_type(), at::kFloat);
}

// Values and gradients of the kernel's own body and of LibTorch's operators.
TEST(RotaryTest, BothBodiesAgree) {
  for (const auto& [dtype, tolerance] :
       {std::pair(at::kDouble, 1e-13), std::pair(at::kFloat, 1e-6), std::pair(at::kBFloat16, 0.02)}) {
    std::vector<at::Tensor> results[2];
    for (const bool fused : {false, true}) {
      std::optional<ScopedUnfusedKernels> unfused;
      if (!fused) unfused.emplace();
      const at::Tensor x = Numbers({150, 3, 48}, 0).to(dtype).requires_grad_(true);
      const at::Tensor angles = Numbers({150, 24}, 1, 3).to(dtype == at::kDouble ? at::kDouble : at::kFloat);
      const at::Tensor output = ApplyRotary(x, at::cos(angles), at::sin(angles));
      EXPECT_EQ(output.scalar_type(), dtype);
      output.backward(Numbers(output.sizes(), 5).to(dtype));
      results[fused] = {output.detach(), x.grad()};
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_LE(Difference(results[0][i], results[1][i]), tolerance) << "result " << i << ", " << dtype;
    }
  }
}

}  // namespace
}  // namespace plumb
