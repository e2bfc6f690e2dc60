#include "optim/causal/matrix_exponential.h"

#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_matrix_exp.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/kernels/gradient_testing.h"

namespace plumb {
namespace {

TEST(MatrixExponentialTest, IsLibTorchs) {
  for (const int64_t size : {1, 2, 5, 20, 48, 49, 80}) {
    for (const double scale : {1e-6, 0.05, 0.3, 1.0, 3.0}) {
      const at::Tensor matrix = Numbers({size, size}, 0.3 + size, scale);
      const at::Tensor wanted = at::linalg_matrix_exp(matrix);
      EXPECT_LE(Difference(MatrixExponential(matrix), wanted), 1e-12 * wanted.abs().max().item<double>())
          << size << " " << scale;
    }
  }
}

TEST(MatrixExponentialTest, HasTheClosedForms) {
  EXPECT_EQ(Difference(MatrixExponential(at::zeros({4, 4}, at::kDouble)), at::eye(4, at::kDouble)), 0);
  const at::Tensor diagonal = at::tensor({-3.0, 0.5, 10.0}, at::kDouble);
  EXPECT_LE(Difference(MatrixExponential(at::diag(diagonal)), at::diag(diagonal.exp())),
            1e-14 * std::exp(10.0));
  // A chain of weights w has no cycle: exp is a polynomial.
  at::Tensor chain = at::zeros({3, 3}, at::kDouble);
  chain[0][1] = chain[1][2] = 2;
  EXPECT_NEAR(MatrixExponential(chain)[0][2].item<double>(), 2, 1e-15);
}

TEST(MatrixExponentialTest, WhatIsNoNumberStaysNone) {
  const at::Tensor matrix = at::tensor({std::numeric_limits<double>::quiet_NaN()}, at::kDouble).view({1, 1});
  EXPECT_TRUE(std::isnan(MatrixExponential(matrix).item<double>()));
}

}  // namespace
}  // namespace plumb
