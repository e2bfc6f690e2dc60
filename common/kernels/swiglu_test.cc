#include "common/kernels/swiglu.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

at::Tensor Plain(const at::Tensor& gate, const at::Tensor& up) { return gate / (1 + at::exp(-gate)) * up; }

TEST(SwiGluTest, IsTheFormula) {
  const at::Tensor gate = Numbers({3, 8}, 0, 6), up = Numbers({3, 8}, 1, 2);
  EXPECT_LE(Difference(SwiGlu(gate, up), Plain(gate, up)), 1e-14);
  const at::Tensor narrow = SwiGlu(gate.to(at::kFloat), up.to(at::kFloat));
  EXPECT_EQ(narrow.scalar_type(), at::kFloat);
  EXPECT_LE(Difference(narrow, Plain(gate, up)), 2e-6);
}

TEST(SwiGluTest, GradientsAreFiniteDifferences) {
  const at::Tensor gate = Numbers({2, 5}, 0, 3).requires_grad_(true),
                   up = Numbers({2, 5}, 1).requires_grad_(true);
  ExpectGradientsAreFiniteDifferences({gate, up}, [&] { return SwiGlu(gate, up); });
}

TEST(SwiGluTest, Bf16IsAsGoodAsItsRounding) {
  const at::Tensor gate = Numbers({64, 8}, 0, 6).to(at::kBFloat16).requires_grad_(),
                   up = Numbers({64, 8}, 1, 2).to(at::kBFloat16).requires_grad_();
  const at::Tensor wide_gate = gate.detach().to(at::kDouble).requires_grad_(),
                   wide_up = up.detach().to(at::kDouble).requires_grad_();
  const at::Tensor cotangent = Numbers({64, 8}, 2).to(at::kBFloat16);
  const at::Tensor result = SwiGlu(gate, up), exact = Plain(wide_gate, wide_up);
  result.backward(cotangent);
  exact.backward(cotangent.to(at::kDouble));
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
  // Rounded once to 8 bits, so off by 1/256, and by what f32 is off.
  const auto expect_close = [](const at::Tensor& value, const at::Tensor& wanted) {
    const at::Tensor excess = (value.to(at::kDouble) - wanted).abs() - wanted.abs() / 255;
    EXPECT_LE(excess.max().item<double>(), 1e-5);
  };
  expect_close(result, exact);
  expect_close(gate.grad(), wide_gate.grad());
  expect_close(up.grad(), wide_up.grad());
}

TEST(SwiGluTest, LargeGatesAreFinite) {
  EXPECT_TRUE(SwiGlu(at::full({1}, 1000.0), at::full({1}, 2.0)).equal(at::full({1}, 2000.0)));
  EXPECT_TRUE(SwiGlu(at::full({1}, -1000.0), at::full({1}, 2.0)).equal(at::full({1}, 0.0)));
}

// Values and gradients of the kernel's own body and of LibTorch's operators.
TEST(SwiGluTest, BothBodiesAgree) {
  for (const auto& [dtype, tolerance] : {std::pair(at::kDouble, 1e-13), std::pair(at::kFloat, 1e-5)}) {
    std::vector<at::Tensor> results[2];
    for (const bool fused : {false, true}) {
      std::optional<ScopedUnfusedKernels> unfused;
      if (!fused) unfused.emplace();
      const at::Tensor gate = Numbers({50, 123}, 0, 100).to(dtype).requires_grad_(true),
                       up = Numbers({50, 123}, 1, 3).to(dtype).requires_grad_(true);
      const at::Tensor output = SwiGlu(gate, up);
      EXPECT_EQ(output.scalar_type(), dtype);
      output.backward(Numbers(output.sizes(), 5).to(dtype));
      results[fused] = {output.detach(), gate.grad(), up.grad()};
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      EXPECT_LE(Difference(results[0][i], results[1][i]), tolerance) << "result " << i << ", " << dtype;
    }
  }
}

}  // namespace
}  // namespace plumb
