#include "common/kernels/embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/kernels/fused.h"
#include "common/kernels/linear_logprob.h"

namespace plumb {
namespace {

at::Tensor Ids() { return at::tensor({3, 1, 3, 0, 4, 3}, at::kLong); }

// The weight's gradient after `micro_batches` backward passes over the same tokens.
at::Tensor Gradient(at::ScalarType dtype, int micro_batches, const at::Tensor& cotangent) {
  const at::Tensor weight = at::arange(40, dtype).view({5, 8}).requires_grad_(true);
  for (int i = 0; i < micro_batches; ++i) Embedding(weight, Ids()).backward(cotangent.to(dtype));
  return weight.grad();
}

TEST(Embedding, IsTheRows) {
  const at::Tensor weight = at::randn({5, 8}).requires_grad_(true);
  EXPECT_TRUE(Embedding(weight, Ids()).equal(weight.index_select(0, Ids())));
}

TEST(Embedding, GradientIsLibTorchs) {
  const at::Tensor cotangent = at::randn({6, 8}, at::kDouble);
  for (const auto dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (const int micro_batches : {1, 3}) {
      const at::Tensor own = Gradient(dtype, micro_batches, cotangent);
      const ScopedUnfusedKernels unfused;
      const at::Tensor wanted = Gradient(dtype, micro_batches, cotangent);
      const double tolerance = dtype == at::kDouble ? 1e-14 : dtype == at::kFloat ? 2e-6 : 0.1;
      EXPECT_LE((own - wanted).abs().max().item<double>(), tolerance) << dtype;
    }
  }
}

TEST(Embedding, LaterMicroBatchesAddWhereTheGradientStands) {
  const at::Tensor weight = at::randn({5, 8}).requires_grad_(true), cotangent = at::randn({6, 8});
  Embedding(weight, Ids()).backward(cotangent);
  const void* data = weight.grad().data_ptr();
  const at::Tensor once = weight.grad().clone();
  Embedding(weight, Ids()).backward(cotangent);
  EXPECT_EQ(weight.grad().data_ptr(), data);
  EXPECT_TRUE(weight.grad().allclose(2 * once));
}

TEST(Embedding, GradientsOf16BitsAreSummedIn32) {
  const at::Tensor cotangent = at::randn({6, 8}).to(at::kBFloat16);
  const at::Tensor exact = Gradient(at::kDouble, 3, cotangent);
  at::Tensor weight = at::randn({5, 8}).to(at::kBFloat16).requires_grad_(true);
  weight.mutable_grad() = at::zeros({5, 8}, at::kFloat);
  for (int i = 0; i < 3; ++i) Embedding(weight, Ids()).backward(cotangent);
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);
  EXPECT_LE((weight.grad() - exact).abs().max().item<double>(), 1e-5);
}

TEST(Embedding, HooksSeeTheGradient) {
  const at::Tensor weight = at::randn({5, 8}, at::kDouble).requires_grad_(true);
  const at::Tensor cotangent = at::randn({6, 8}, at::kDouble);
  Embedding(weight, Ids()).backward(cotangent);
  const at::Tensor once = weight.grad().clone();
  weight.register_hook([](const at::Tensor& gradient) { return 10 * gradient; });
  Embedding(weight, Ids()).backward(cotangent);
  EXPECT_TRUE(weight.grad().allclose(11 * once));
}

TEST(Embedding, OfATiedHeadAddsToTheSameGradient) {
  const at::Tensor targets = at::tensor({1, 2, 0, 4, 3, 1}, at::kLong);
  const auto gradient = [&](int micro_batches) {
    const at::Tensor weight = at::arange(40, at::kDouble).view({5, 8}).sin().requires_grad_(true);
    for (int i = 0; i < micro_batches; ++i) {
      LinearLogProb(Embedding(weight, Ids()), weight, targets).logps.sum().backward();
    }
    return weight.grad();
  };
  const at::Tensor own = gradient(3);
  EXPECT_TRUE(own.allclose(3 * gradient(1), 1e-12, 1e-12));
  const ScopedUnfusedKernels unfused;
  EXPECT_TRUE(own.allclose(gradient(3), 1e-12, 1e-12));
}

}  // namespace
}  // namespace plumb
