#include "common/kernels/low_rank_sum.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/record_backward.h"
#include "common/kernels/rounding.h"
#include "common/kernels/tile_product.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

constexpr int64_t kRows = 8 * kProductRows;  // so many f32 rows are in a near cache

struct Sizes {
  int64_t rows, columns, rank;
  int64_t padded_columns() const { return RoundUp(columns, kProductColumns<float>); }
};

// y [rows, columns] += low_rank [rows, rank] factor [rank, padded columns], by way of `wide`.
template <typename T>
PLUMB_VECTORIZED void AddToRows(const Sizes& sizes, const float* low_rank, const float* factor, T* y,
                                float* wide) {
  const int64_t width = sizes.padded_columns();
  for (int64_t i = 0; i < sizes.rows; ++i) {
    for (int64_t j = 0; j < sizes.columns; ++j) wide[i * width + j] = Widen(y[i * sizes.columns + j]);
  }
  AddProduct<float>({low_rank, sizes.rank, 1}, factor, width, wide, width, RoundUp(sizes.rows, kProductRows),
                    width, sizes.rank);
  for (int64_t i = 0; i < sizes.rows; ++i) {
    for (int64_t j = 0; j < sizes.columns; ++j) Store(wide[i * width + j], y + i * sizes.columns + j);
  }
}

// For y of 16 bits.
void AddRounded(const at::Tensor& low_rank, const at::Tensor& factor, double scaling, const at::Tensor& y) {
  Sizes all = {y.size(0), y.size(1), low_rank.size(1)};
  const at::Tensor padded_low_rank =
      at::constant_pad_nd(low_rank, {0, 0, 0, RoundUp(all.rows, kProductRows) - all.rows});
  const at::Tensor padded_factor =
      at::constant_pad_nd((factor * scaling).t(), {0, all.padded_columns() - all.columns}).contiguous();
  const float *left = padded_low_rank.const_data_ptr<float>(), *right = padded_factor.const_data_ptr<float>();
  AT_DISPATCH_REDUCED_FLOATING_TYPES(y.scalar_type(), "AddLowRank", [&] {
    scalar_t* to = y.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, (all.rows + kRows - 1) / kRows, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> wide(kRows * all.padded_columns());
      for (int64_t row = begin * kRows; row < std::min(all.rows, end * kRows); row += kRows) {
        const Sizes block = {std::min(kRows, all.rows - row), all.columns, all.rank};
        AddToRows(block, left + row * all.rank, right, to + row * all.columns, wide.data());
      }
    });
  });
}

std::vector<at::Tensor> Backward(const BackwardPass& pass, double scaling) {
  const at::Tensor &low_rank = pass.saved[0], &factor = pass.saved[1];
  const at::Tensor wide = pass.gradient.to(factor.scalar_type());
  std::vector<at::Tensor> gradients(3);
  if (pass.needed[0]) gradients[0] = pass.gradient;
  if (pass.needed[1]) gradients[1] = at::mm(wide, factor).mul_(scaling);
  if (pass.needed[2]) gradients[2] = at::mm(wide.t(), low_rank).mul_(scaling);
  return gradients;
}

}  // namespace

at::Tensor AddLowRank(const at::Tensor& y, const at::Tensor& low_rank, const at::Tensor& factor,
                      double scaling) {
  const at::ScalarType dtype = factor.scalar_type();
  if (!FusedKernels() || !y.is_cpu() || !y.is_contiguous() ||
      (y.element_size() < 4 ? dtype != at::kFloat : dtype != y.scalar_type())) {
    return at::addmm(y.to(dtype), low_rank, factor.t(), /*beta=*/1, scaling).to(y.scalar_type());
  }
  const bool needs_gradient = NeedsGradient({y, low_rank, factor});
  at::Tensor sum = y.detach();
  {
    const at::NoGradGuard no_grad;
    if (y.element_size() < 4) {
      AddRounded(low_rank.contiguous(), factor, scaling, sum);
    } else {
      sum.addmm_(low_rank, factor.t(), /*beta=*/1, scaling);
    }
  }
  if (needs_gradient) {
    RecordBackward("AddLowRankBackward", {y, low_rank, factor}, {low_rank, factor}, sum,
                   [scaling](const BackwardPass& pass) { return Backward(pass, scaling); });
  }
  return sum;
}

}  // namespace plumb
