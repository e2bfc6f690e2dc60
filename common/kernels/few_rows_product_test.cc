#include "common/kernels/few_rows_product.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <gtest/gtest.h>

#include "common/kernels/fused.h"
#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

TEST(FewRowsProductTest, IsTheProduct) {
  for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 16, 32}) {
    for (const int64_t depth : {1, 8, 37}) {
      for (const int64_t columns : {1, 2, 65, 131}) {
        const at::Tensor x = Numbers({rows, depth}, 0), weight = Numbers({columns, depth}, 1);
        const at::Tensor product = FewRowsProduct(x.to(at::kFloat), weight.to(at::kFloat));
        ASSERT_EQ(product.sizes(), at::IntArrayRef({rows, columns}));
        if (rows == 0) continue;
        EXPECT_LE(Difference(product, at::linear(x, weight)), 1e-5);
      }
    }
  }
}

TEST(FewRowsProductTest, ARowDoesNotDependOnTheOthers) {
  const at::Tensor x = Numbers({20, 300}, 0).to(at::kFloat), weight = Numbers({70, 300}, 1).to(at::kFloat);
  const at::Tensor all = FewRowsProduct(x, weight);
  for (int64_t row = 0; row < 20; ++row) {
    EXPECT_TRUE(FewRowsProduct(x.narrow(0, row, 1), weight).equal(all.narrow(0, row, 1)));
  }
}

TEST(FewRowsProductTest, IsForFewRowsOfF32WithoutGradient) {
  const at::Tensor x = Numbers({3, 4}, 0).to(at::kFloat), weight = Numbers({5, 4}, 1).to(at::kFloat);
  EXPECT_TRUE(IsFewRowsProduct(x, weight));
  EXPECT_FALSE(IsFewRowsProduct(x.to(at::kDouble), weight.to(at::kDouble)));
  EXPECT_FALSE(IsFewRowsProduct(Numbers({kFewRows + 1, 4}, 0).to(at::kFloat), weight));
  EXPECT_FALSE(IsFewRowsProduct(x, Numbers({4, 5}, 0).to(at::kFloat).t()));
  const at::Tensor trained = weight.clone().requires_grad_(true);
  EXPECT_FALSE(IsFewRowsProduct(x, trained));
  {
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(IsFewRowsProduct(x, trained));
  }
  const ScopedUnfusedKernels unfused;
  EXPECT_FALSE(IsFewRowsProduct(x, weight));
}

}  // namespace
}  // namespace plumb
