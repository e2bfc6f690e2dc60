#include "common/kernels/bf16_product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <c10/util/BFloat16.h>
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

constexpr int64_t kPanel = Bf16Factor::kPanel;
constexpr int64_t kLanes = 16;  // f32 numbers of a register
constexpr int64_t kRows = 12;   // of a tile: 24 sums, which with two factors are nearly all registers
constexpr int64_t kRowsOfATask = 8 * kRows;

#if defined(__x86_64__) && !defined(__clang__)
#define PLUMB_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

// The left-hand factor [rows, pairs of numbers], by its elements' distances.
struct Left {
  const int32_t* data;
  int64_t row, pair;
};

// c [rows, columns] = or += a [rows, 2 pairs] b [pairs, kPanel pairs of numbers], for at most kPanel columns.
template <int64_t rows>
PLUMB_BF16 void Tile(const Left& a, const int32_t* b, int64_t pairs, bool add, float* c, int64_t c_row,
                     int64_t columns) {
  const int32_t* factors = a.data;
  __m512 low[rows], high[rows];
#pragma GCC unroll 12
  for (int64_t i = 0; i < rows; ++i) low[i] = high[i] = _mm512_setzero_ps();
  for (int64_t p = 0; p < pairs; ++p, factors += a.pair, b += kPanel) {
    const auto b_low = (__m512bh)_mm512_loadu_si512(b), b_high = (__m512bh)_mm512_loadu_si512(b + kLanes);
#pragma GCC unroll 12
    for (int64_t i = 0; i < rows; ++i) {
      const auto factor = (__m512bh)_mm512_set1_epi32(factors[i * a.row]);
      low[i] = _mm512_dpbf16_ps(low[i], factor, b_low);
      high[i] = _mm512_dpbf16_ps(high[i], factor, b_high);
    }
  }
  const auto mask = [](int64_t lanes) {
    return static_cast<__mmask16>((1u << std::clamp<int64_t>(lanes, 0, kLanes)) - 1);
  };
  const __mmask16 mask_low = mask(columns), mask_high = mask(columns - kLanes);
#pragma GCC unroll 12
  for (int64_t i = 0; i < rows; ++i) {
    float* to = c + i * c_row;
    if (add) {
      low[i] = _mm512_add_ps(low[i], _mm512_maskz_loadu_ps(mask_low, to));
      high[i] = _mm512_add_ps(high[i], _mm512_maskz_loadu_ps(mask_high, to + kLanes));
    }
    _mm512_mask_storeu_ps(to, mask_low, low[i]);
    _mm512_mask_storeu_ps(to + kLanes, mask_high, high[i]);
  }
}

bool Supported() { return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw"); }
#else
template <int64_t rows>
void Tile(const Left&, const int32_t*, int64_t, bool, float*, int64_t, int64_t) {}

bool Supported() { return false; }
#endif

// Rows `row` to `end` of one panel's columns.
void PanelRows(const Left& a, const int32_t* b, int64_t pairs, bool add, float* c, int64_t c_row,
               int64_t columns, int64_t row, int64_t end) {
  const auto tile = [&](auto* body, int64_t rows) {
    for (; row + rows <= end; row += rows)
      body({a.data + row * a.row, a.row, a.pair}, b, pairs, add, c + row * c_row, c_row, columns);
  };
  tile(Tile<kRows>, kRows);
  tile(Tile<8>, 8);
  tile(Tile<4>, 4);
  tile(Tile<1>, 1);
}

// Two rows of `count` columns, next to each other; `right`: from column to column.
PLUMB_VECTORIZED void Interleave(const uint16_t* first, const uint16_t* second, int64_t right, int64_t count,
                                 uint32_t* to) {
  if (right == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = first[i] | uint32_t{second[i]} << 16;
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = first[i * right] | uint32_t{second[i * right]} << 16;
  }
}

}  // namespace

bool HasBf16Products() {
  static const bool supported = Supported();
  return supported;
}

Bf16Factor::Bf16Factor(const at::Tensor& matrix) {
  TORCH_CHECK(matrix.dim() == 2 && matrix.scalar_type() == at::kBFloat16,
              "Bf16Factor: expected a bf16 matrix, not ", matrix.scalar_type(), " ", matrix.sizes());
  depth_ = matrix.size(0);
  columns_ = matrix.size(1);
  const int64_t panels = (columns_ + kPanel - 1) / kPanel, pairs = (depth_ + 1) / 2;
  const int64_t down = matrix.stride(0), right = matrix.stride(1);
  data_ = at::empty({panels, pairs, kPanel}, at::kInt);
  const auto* from = reinterpret_cast<const uint16_t*>(matrix.const_data_ptr<at::BFloat16>());
  auto* data = reinterpret_cast<uint32_t*>(data_.mutable_data_ptr<int32_t>());
  const std::vector<uint16_t> zeros(depth_ % 2 != 0 ? kPanel * std::max<int64_t>(1, right) : 0);
  at::parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t column = panel * kPanel, count = std::min(kPanel, columns_ - column);
      for (int64_t p = 0; p < pairs; ++p) {
        const uint16_t* first = from + 2 * p * down + column * right;
        uint32_t* to = data + (panel * pairs + p) * kPanel;
        Interleave(first, 2 * p + 1 < depth_ ? first + down : zeros.data(), right, count, to);
        std::fill(to + count, to + kPanel, 0);
      }
    }
  });
}

void Bf16Product(const at::Tensor& a, const Bf16Factor& b, bool add, const at::Tensor& c) {
  TORCH_CHECK(a.dim() == 2 && a.scalar_type() == at::kBFloat16 && a.size(1) == b.depth() && c.dim() == 2 &&
                  c.scalar_type() == at::kFloat && c.size(0) == a.size(0) && c.size(1) == b.columns(),
              "Bf16Product: ", a.sizes(), " times ", b.depth(), " x ", b.columns(), " into ", c.sizes(),
              "; expected bf16 [M, K] times K x N into f32 [M, N]");
  TORCH_CHECK(c.numel() == 0 || c.stride(1) == 1, "Bf16Product: rows of the result must be contiguous");
  if (c.numel() == 0) return;
  // Pairs of a row are read as one number of 32 bits.
  at::Tensor left = a;
  if (b.depth() % 2 != 0) left = at::constant_pad_nd(a, {0, 1});
  if (left.numel() > 0 && (left.stride(1) != 1 || left.stride(0) % 2 != 0)) left = left.contiguous();
  const auto* from = reinterpret_cast<const int32_t*>(left.const_data_ptr());
  const int32_t* panels = b.data().const_data_ptr<int32_t>();
  float* to = c.mutable_data_ptr<float>();
  const int64_t rows = c.size(0), pairs = b.data().size(1), a_row = left.stride(0) / 2, c_row = c.stride(0);
  const int64_t tasks_of_a_panel = (rows + kRowsOfATask - 1) / kRowsOfATask;
  at::parallel_for(0, b.data().size(0) * tasks_of_a_panel, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t panel = task / tasks_of_a_panel, row = task % tasks_of_a_panel * kRowsOfATask;
      const int64_t column = panel * kPanel;
      PanelRows({from, a_row, 1}, panels + panel * pairs * kPanel, pairs, add, to + column, c_row,
                std::min(kPanel, b.columns() - column), row, std::min(rows, row + kRowsOfATask));
    }
  });
}

void AddBf16TransposedProduct(const Bf16Factor& a, const Bf16Factor& b, const at::Tensor& c) {
  TORCH_CHECK(a.depth() == b.depth() && c.dim() == 2 && c.scalar_type() == at::kFloat &&
                  c.size(0) == a.columns() && c.size(1) == b.columns(),
              "AddBf16TransposedProduct: (", a.depth(), " x ", a.columns(), ")^T times ", b.depth(), " x ",
              b.columns(), " into ", c.sizes(), "; expected (K x M)^T times K x N into f32 [M, N]");
  TORCH_CHECK(c.numel() == 0 || c.stride(1) == 1,
              "AddBf16TransposedProduct: rows of the result must be contiguous");
  if (c.numel() == 0) return;
  const int32_t *left = a.data().const_data_ptr<int32_t>(), *right = b.data().const_data_ptr<int32_t>();
  float* to = c.mutable_data_ptr<float>();
  const int64_t across = b.data().size(0), pairs = b.data().size(1), c_row = c.stride(0);
  at::parallel_for(0, a.data().size(0) * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / across * kPanel, column = task % across * kPanel;
      PanelRows({left + row * pairs, 1, kPanel}, right + column * pairs, pairs, /*add=*/true,
                to + row * c_row + column, c_row, std::min(kPanel, b.columns() - column), 0,
                std::min(kPanel, a.columns() - row));
    }
  });
}

}  // namespace plumb
