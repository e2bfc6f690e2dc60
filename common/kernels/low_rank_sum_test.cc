#include "common/kernels/low_rank_sum.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

constexpr double kScaling = 1.5;

struct Inputs {
  at::Tensor y, x, down, up;

  Inputs(at::ScalarType dtype, at::ScalarType adapter_dtype, int64_t rows, int64_t in, int64_t out,
         int64_t rank)
      : y(Numbers({rows, out}, 0.1).to(dtype).requires_grad_()),
        x(Numbers({rows, in}, 0.4).to(dtype).requires_grad_()),
        down(Numbers({rank, in}, 0.7).to(adapter_dtype).requires_grad_()),
        up(Numbers({out, rank}, 0.2).to(adapter_dtype).requires_grad_()) {}

  at::Tensor Sum() const { return AddLowRank(y * 1, x, down, up, kScaling); }
  std::vector<at::Tensor> Leaves() const { return {y, x, down, up}; }
};

TEST(AddLowRankTest, IsTheSumOfProducts) {
  for (const int64_t rows : {1, 7, 48, 101}) {
    for (const int64_t columns : {1, 16, 39, 70}) {
      for (const int64_t rank : {1, 5, 16}) {
        const Inputs inputs(at::kBFloat16, at::kFloat, rows, 23, columns, rank);
        const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
        const at::Tensor low_rank = at::mm(wide(inputs.x), wide(inputs.down).t());
        const at::Tensor exact = wide(inputs.y) + kScaling * at::mm(low_rank, wide(inputs.up).t());
        const at::Tensor sum = inputs.Sum();
        EXPECT_EQ(sum.scalar_type(), at::kBFloat16);
        // Each factor has 8 binary places, and so has the sum.
        const at::Tensor terms = kScaling * at::mm(at::mm(wide(inputs.x).abs(), wide(inputs.down).abs().t()),
                                                   wide(inputs.up).abs().t());
        EXPECT_TRUE(((wide(sum) - exact).abs() <= (exact.abs() + 4 * terms) / 256).all().item<bool>())
            << rows << " " << columns << " " << rank;
      }
    }
  }
}

TEST(AddLowRankTest, GradientsAreFiniteDifferences) {
  const Inputs inputs(at::kDouble, at::kDouble, 6, 4, 5, 3);
  ExpectGradientsAreFiniteDifferences(inputs.Leaves(), [&] { return inputs.Sum(); });
}

TEST(AddLowRankTest, IsTheUnfusedSumWithItsGradients) {
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const bool gradients_stand : {false, true}) {
      const double tolerance = dtype == at::kDouble ? 1e-13 : dtype == at::kFloat ? 1e-5 : 0.02;
      const at::ScalarType adapter = dtype == at::kDouble ? at::kDouble : at::kFloat;
      const Inputs own(dtype, adapter, 50, 31, 37, 4), peer(dtype, adapter, 50, 31, 37, 4);
      if (gradients_stand) {
        own.down.mutable_grad() = at::zeros_like(own.down);
        own.up.mutable_grad() = at::zeros_like(own.up);
      }
      const at::Tensor cotangent = Numbers({50, 37}, 0.9).to(dtype), sum = own.Sum();
      sum.backward(cotangent);
      const ScopedUnfusedKernels unfused;
      const at::Tensor wanted = peer.Sum();
      wanted.backward(cotangent);
      const auto relative = [](const at::Tensor& own, const at::Tensor& peer) {
        return Difference(own, peer) / peer.abs().max().item<double>();
      };
      EXPECT_LE(relative(sum, wanted), tolerance) << dtype;
      for (size_t i = 0; i < own.Leaves().size(); ++i) {
        const at::Tensor gradient = own.Leaves()[i].grad();
        EXPECT_EQ(gradient.scalar_type(), own.Leaves()[i].scalar_type());
        EXPECT_LE(relative(gradient, peer.Leaves()[i].grad()), tolerance) << dtype << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace plumb
