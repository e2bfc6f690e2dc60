#include "common/kernels/few_rows_product.h"

#include <ATen/ops/empty.h>

#include "common/kernels/blocks.h"
#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

using V = Vector<float>::type;
constexpr int64_t kLanes = Vector<float>::kLanes;
constexpr int kRows = 6;     // of x at a time, by
constexpr int kWeights = 2;  // rows of the weights: as many sums as registers hold

// y[r][w] of `rows` rows of x, K apart, and `weights` rows of the weights; y's rows are y_row apart.
template <int rows, int weights>
inline __attribute__((always_inline)) void Sums(const float* x, const float* weight, int64_t depth, float* y,
                                                int64_t y_row) {
  V sums[rows][weights] = {};
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
      const V factor = *reinterpret_cast<const V*>(x + r * depth + k);
#pragma GCC unroll 2
      for (int w = 0; w < weights; ++w) {
        sums[r][w] += factor * *reinterpret_cast<const V*>(weight + w * depth + k);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int w = 0; w < weights; ++w) {
      float sum = 0;
      for (int lane = 0; lane < kLanes; ++lane) sum += sums[r][w][lane];
      for (int64_t rest = k; rest < depth; ++rest) sum += x[r * depth + rest] * weight[w * depth + rest];
      y[r * y_row + w] = sum;
    }
  }
}

template <int weights>
inline __attribute__((always_inline)) void AllRows(const float* x, int64_t rows, const float* weight,
                                                   int64_t depth, float* y, int64_t y_row) {
  for (; rows >= kRows; rows -= kRows, x += kRows * depth, y += kRows * y_row) {
    Sums<kRows, weights>(x, weight, depth, y, y_row);
  }
  switch (rows) {
    case 5:
      return Sums<5, weights>(x, weight, depth, y, y_row);
    case 4:
      return Sums<4, weights>(x, weight, depth, y, y_row);
    case 3:
      return Sums<3, weights>(x, weight, depth, y, y_row);
    case 2:
      return Sums<2, weights>(x, weight, depth, y, y_row);
    case 1:
      return Sums<1, weights>(x, weight, depth, y, y_row);
  }
}

// Columns [begin, end) of y [rows, columns].
PLUMB_VECTORIZED void Columns(const float* x, int64_t rows, const float* weight, int64_t depth, int64_t begin,
                              int64_t end, float* y, int64_t columns) {
  for (; begin + kWeights <= end; begin += kWeights) {
    AllRows<kWeights>(x, rows, weight + begin * depth, depth, y + begin, columns);
  }
  for (; begin < end; ++begin) AllRows<1>(x, rows, weight + begin * depth, depth, y + begin, columns);
}

}  // namespace

bool IsFewRowsProduct(const at::Tensor& x, const at::Tensor& weight) {
  return x.dim() == 2 && x.size(0) <= kFewRows && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kFloat && x.is_cpu() && x.is_contiguous() && weight.is_contiguous() &&
         FusedKernels() && !NeedsGradient({x, weight});
}

void FewRowsProductOut(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& output) {
  TORCH_CHECK(IsFewRowsProduct(x, weight) && x.size(1) == weight.size(1), "FewRowsProduct: x ", x.sizes(),
              " and weight ", weight.sizes(), "; expected f32 [M, K] and [N, K], M up to ", kFewRows);
  const int64_t rows = x.size(0), depth = x.size(1), columns = weight.size(0);
  TORCH_CHECK(output.sizes() == at::IntArrayRef({rows, columns}) && output.is_contiguous(),
              "FewRowsProduct: output ", output.sizes());
  const float* in = x.const_data_ptr<float>();
  const float* by = weight.const_data_ptr<float>();
  float* out = output.mutable_data_ptr<float>();
  ForEachRowBlock(columns, [&](int64_t, int64_t begin, int64_t end) {
    Columns(in, rows, by, depth, begin, end, out, columns);
  });
}

at::Tensor FewRowsProduct(const at::Tensor& x, const at::Tensor& weight) {
  at::Tensor output = at::empty({x.size(0), weight.size(0)}, x.options());
  FewRowsProductOut(x, weight, output);
  return output;
}

}  // namespace plumb
