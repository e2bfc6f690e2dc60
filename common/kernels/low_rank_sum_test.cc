#include "common/kernels/low_rank_sum.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

struct Inputs {
  at::Tensor y, low_rank, factor;

  Inputs(at::ScalarType dtype, at::ScalarType adapter_dtype, int64_t rows, int64_t columns, int64_t rank)
      : y(Numbers({rows, columns}, 0.1).to(dtype).requires_grad_()),
        low_rank(Numbers({rows, rank}, 0.4).to(adapter_dtype).requires_grad_()),
        factor(Numbers({columns, rank}, 0.7).to(adapter_dtype).requires_grad_()) {}

  at::Tensor Sum() const { return AddLowRank(y * 1, low_rank, factor, 1.5); }
};

TEST(AddLowRankTest, IsTheSumRoundedOnce) {
  for (const int64_t rows : {1, 7, 48, 101}) {
    for (const int64_t columns : {1, 16, 39, 70}) {
      for (const int64_t rank : {1, 5, 16}) {
        const Inputs inputs(at::kBFloat16, at::kFloat, rows, columns, rank);
        const at::Tensor exact = inputs.y.to(at::kDouble) + 1.5 * at::mm(inputs.low_rank.to(at::kDouble),
                                                                         inputs.factor.to(at::kDouble).t());
        const at::Tensor sum = inputs.Sum();
        EXPECT_EQ(sum.scalar_type(), at::kBFloat16);
        // Half of a unit in the last of 8 binary places.
        EXPECT_TRUE(((sum.to(at::kDouble) - exact).abs() <= exact.abs() / 256 + 1e-5).all().item<bool>())
            << rows << " " << columns << " " << rank;
      }
    }
  }
}

TEST(AddLowRankTest, GradientsAreFiniteDifferences) {
  const Inputs inputs(at::kDouble, at::kDouble, 6, 5, 3);
  ExpectGradientsAreFiniteDifferences({inputs.y, inputs.low_rank, inputs.factor},
                                      [&] { return inputs.Sum(); });
}

TEST(AddLowRankTest, IsTheUnfusedSumWithItsGradients) {
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const double tolerance = dtype == at::kDouble ? 1e-13 : dtype == at::kFloat ? 1e-5 : 0.05;
    const at::ScalarType adapter = dtype == at::kDouble ? at::kDouble : at::kFloat;
    const Inputs own(dtype, adapter, 50, 37, 4), peer(dtype, adapter, 50, 37, 4);
    const at::Tensor cotangent = Numbers({50, 37}, 0.9).to(dtype), sum = own.Sum();
    sum.backward(cotangent);
    const ScopedUnfusedKernels unfused;
    const at::Tensor wanted = peer.Sum();
    wanted.backward(cotangent);
    EXPECT_LE(Difference(sum, wanted), tolerance) << dtype;
    EXPECT_LE(Difference(own.y.grad(), peer.y.grad()), tolerance) << dtype;
    EXPECT_LE(Difference(own.low_rank.grad(), peer.low_rank.grad()), tolerance) << dtype;
    EXPECT_LE(Difference(own.factor.grad(), peer.factor.grad()), tolerance) << dtype;
  }
}

}  // namespace
}  // namespace plumb
