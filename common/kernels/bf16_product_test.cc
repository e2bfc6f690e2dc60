#include "common/kernels/bf16_product.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

class Bf16ProductTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasBf16Products()) GTEST_SKIP() << "skipped: this processor has no AVX512_BF16";
  }
};

at::Tensor Bf16(at::IntArrayRef sizes, double phase) { return Numbers(sizes, phase).to(at::kBFloat16); }

TEST_F(Bf16ProductTest, IsTheProductOfAllShapes) {
  for (const int64_t rows : {1, 3, 12, 29, 130}) {
    for (const int64_t depth : {1, 2, 7, 64, 515}) {
      for (const int64_t columns : {1, 16, 17, 32, 75}) {
        const at::Tensor a = Bf16({rows, depth}, 0.3), b = Bf16({depth, columns}, 0.7);
        const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
        const double tolerance = 1e-6 * depth;
        at::Tensor c = at::ones({rows, columns});
        Bf16Product(a, Bf16Factor(b), /*add=*/false, c);
        EXPECT_LE(Difference(c, exact), tolerance) << rows << " " << depth << " " << columns;
        Bf16Product(a, Bf16Factor(b.t().contiguous().t()), /*add=*/true, c);
        EXPECT_LE(Difference(c, 2 * exact), 2 * tolerance) << rows << " " << depth << " " << columns;
      }
    }
  }
}

TEST_F(Bf16ProductTest, AddsTheTransposedProductOfAllShapes) {
  for (const int64_t rows : {1, 3, 12, 29, 130}) {
    for (const int64_t depth : {1, 2, 7, 64, 515}) {
      for (const int64_t columns : {1, 16, 17, 32, 75}) {
        const at::Tensor a = Bf16({depth, rows}, 0.3), b = Bf16({depth, columns}, 0.7);
        const at::Tensor c = at::ones({rows, columns + 3});
        AddBf16TransposedProduct(Bf16Factor(a), Bf16Factor(b), c.narrow(1, 2, columns));
        EXPECT_LE(Difference(c.narrow(1, 2, columns), 1 + at::mm(a.t().to(at::kDouble), b.to(at::kDouble))),
                  1e-6 * depth)
            << rows << " " << depth << " " << columns;
        EXPECT_EQ(c.select(1, 1).min().item<float>(), 1);
        EXPECT_EQ(c.select(1, columns + 2).max().item<float>(), 1);
      }
    }
  }
}

TEST_F(Bf16ProductTest, TakesPartsOfMatrices) {
  const at::Tensor a = Bf16({20, 31}, 0.1), b = Bf16({40, 50}, 0.2);
  const at::Tensor c = at::ones({20, 60});
  Bf16Product(a.narrow(1, 1, 30), Bf16Factor(b.narrow(0, 5, 30).narrow(1, 3, 44)), /*add=*/false,
              c.narrow(1, 7, 44));
  const at::Tensor exact =
      at::mm(a.narrow(1, 1, 30).to(at::kDouble), b.narrow(0, 5, 30).narrow(1, 3, 44).to(at::kDouble));
  EXPECT_LE(Difference(c.narrow(1, 7, 44), exact), 1e-5);
  // What is beside it stays.
  EXPECT_EQ((c.narrow(1, 0, 7) - 1).abs().max().item<float>(), 0);
  EXPECT_EQ((c.narrow(1, 51, 9) - 1).abs().max().item<float>(), 0);
}

TEST_F(Bf16ProductTest, ThreadsDoNotMatter) {
  const at::Tensor a = Bf16({333, 77}, 0.1);
  const Bf16Factor b(Bf16({77, 129}, 0.2));
  const at::Tensor one = at::zeros({333, 129}), two = at::zeros({333, 129});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  Bf16Product(a, b, false, one);
  at::set_num_threads(2);
  Bf16Product(a, b, false, two);
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equal(two));
}

TEST_F(Bf16ProductTest, RefusesWhatDoesNotFit) {
  const Bf16Factor b(Bf16({4, 3}, 0));
  EXPECT_THROW(Bf16Product(Bf16({2, 5}, 0), b, false, at::zeros({2, 3})), c10::Error);
  EXPECT_THROW(Bf16Product(at::zeros({2, 4}), b, false, at::zeros({2, 3})), c10::Error);
  EXPECT_THROW(Bf16Factor(at::zeros({2, 4})), c10::Error);
}

}  // namespace
}  // namespace plumb
