#include "optim/bayesian/row_product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

constexpr int64_t kRows = 4, kColumns = 16;
constexpr int64_t kGrain = 1 << 17;  // multiplications for which a second thread is worth waking

PLUMB_VECTORIZED void Rows(const double* a, const double* b, int64_t rows, int64_t depth, int64_t columns,
                           double* result) {
  int64_t first = 0;
  for (; first + kRows <= rows; first += kRows) {
    const double* row = a + first * depth;
    int64_t column = 0;
    for (; column + kColumns <= columns; column += kColumns) {
      double sums[kRows][kColumns] = {};
      for (int64_t k = 0; k < depth; ++k) {
        const double* from = b + k * columns + column;
        for (int64_t r = 0; r < kRows; ++r) {
          const double factor = row[r * depth + k];
#pragma omp simd
          for (int64_t c = 0; c < kColumns; ++c) sums[r][c] += factor * from[c];
        }
      }
      for (int64_t r = 0; r < kRows; ++r) {
        std::copy(sums[r], sums[r] + kColumns, result + (first + r) * columns + column);
      }
    }
    const int64_t rest = columns - column;
    if (rest == 0) continue;
    double sums[kRows][kColumns] = {};
    for (int64_t k = 0; k < depth; ++k) {
      const double* from = b + k * columns + column;
      for (int64_t r = 0; r < kRows; ++r) {
        const double factor = row[r * depth + k];
#pragma omp simd
        for (int64_t c = 0; c < rest; ++c) sums[r][c] += factor * from[c];
      }
    }
    for (int64_t r = 0; r < kRows; ++r) {
      std::copy(sums[r], sums[r] + rest, result + (first + r) * columns + column);
    }
  }
  for (; first < rows; ++first) {
    double* to = result + first * columns;
    std::fill(to, to + columns, 0);
    for (int64_t k = 0; k < depth; ++k) {
      const double factor = a[first * depth + k];
      const double* from = b + k * columns;
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) to[c] += factor * from[c];
    }
  }
}

}  // namespace

at::Tensor RowProduct(const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "product of ", a.sizes(), " and ",
              b.sizes());
  const at::Tensor left = a.contiguous(), right = b.contiguous();
  const int64_t rows = a.size(0), depth = a.size(1), columns = b.size(1);
  at::Tensor result = at::empty({rows, columns}, at::kDouble);
  const double *from = left.const_data_ptr<double>(), *with = right.const_data_ptr<double>();
  double* to = result.mutable_data_ptr<double>();
  const int64_t grain = std::max<int64_t>(kRows, kGrain / std::max<int64_t>(1, depth * columns));
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    Rows(from + begin * depth, with, end - begin, depth, columns, to + begin * columns);
  });
  return result;
}

}  // namespace plumb
