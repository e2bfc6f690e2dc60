#include "common/kernels/linear_product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

struct Layer {
  at::Tensor x, weight, bias;

  Layer(at::ScalarType dtype, bool input_major, bool has_bias)
      : x(Numbers({7, 5}, 0.1).to(dtype).requires_grad_()),
        weight(Numbers({3, 5}, 0.4).to(dtype)),
        bias(has_bias ? Numbers({3}, 0.8).to(dtype).requires_grad_() : at::Tensor()) {
    if (input_major) weight = weight.t().contiguous();
    weight.requires_grad_();
  }

  // The output, after so many backward passes.
  at::Tensor Run(bool input_major, int passes) {
    at::Tensor y;
    for (int i = 0; i < passes; ++i) {
      y = LinearProduct(x, weight, bias, input_major);
      y.backward(Numbers({7, 3}, 0.2 + i).to(y.scalar_type()));
    }
    return y;
  }
};

TEST(LinearProductTest, IsLibTorchs) {
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const double tolerance = dtype == at::kDouble ? 1e-14 : dtype == at::kFloat ? 2e-6 : 0.1;
    for (const bool input_major : {false, true}) {
      for (const bool has_bias : {false, true}) {
        for (const int passes : {1, 3}) {
          Layer own(dtype, input_major, has_bias), peer(dtype, input_major, has_bias);
          const at::Tensor y = own.Run(input_major, passes);
          const ScopedUnfusedKernels unfused;
          EXPECT_TRUE(y.equal(peer.Run(input_major, passes))) << dtype;
          EXPECT_LE(Difference(own.x.grad(), peer.x.grad()), tolerance) << dtype;
          EXPECT_LE(Difference(own.weight.grad(), peer.weight.grad()), tolerance) << dtype;
          if (has_bias) {
            EXPECT_LE(Difference(own.bias.grad(), peer.bias.grad()), tolerance) << dtype;
          }
        }
      }
    }
  }
}

TEST(LinearProductTest, LaterPassesAddWhereTheGradientStands) {
  Layer layer(at::kFloat, false, false);
  layer.Run(false, 1);
  const void* data = layer.weight.grad().data_ptr();
  layer.Run(false, 1);
  EXPECT_EQ(layer.weight.grad().data_ptr(), data);
}

TEST(LinearProductTest, GradientsOf16BitsAreSummedIn32) {
  for (const bool input_major : {false, true}) {
    Layer layer(at::kBFloat16, input_major, true);
    layer.weight.mutable_grad() = at::zeros(layer.weight.sizes());
    layer.Run(input_major, 3);
    at::Tensor exact = at::zeros(layer.weight.sizes(), at::kDouble);
    for (int i = 0; i < 3; ++i) {
      const at::Tensor gradient = Numbers({7, 3}, 0.2 + i).to(at::kBFloat16).to(at::kDouble);
      const at::Tensor x = layer.x.detach().to(at::kDouble);
      exact += input_major ? x.t().mm(gradient) : gradient.t().mm(x);
    }
    EXPECT_EQ(layer.weight.grad().scalar_type(), at::kFloat);
    EXPECT_LE(Difference(layer.weight.grad(), exact), 1e-5);
  }
}

TEST(LinearProductTest, FrozenWeightsHaveNoGradient) {
  Layer layer(at::kFloat, false, false);
  layer.weight.requires_grad_(false);
  layer.Run(false, 1);
  EXPECT_TRUE(layer.x.grad().defined());
  EXPECT_FALSE(layer.weight.grad().defined());
}

}  // namespace
}  // namespace plumb
