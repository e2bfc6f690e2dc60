#include "optim/second_order/inverse_fisher.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/kernels/blocks.h"
#include "common/kernels/vectorized.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

// Sums are over 8 numbers side by side and 8 rows at a time: x is read, or the sums are read and written,
// once for the 8, and each row's stretch is asked for while the 8 before it are at work. One processor core
// then takes rows as fast as memory gives them.
constexpr int64_t kLanes = 8;
constexpr int64_t kRows = 8;
constexpr int64_t kColumns = 1024;  // a block: its sums stay in the first cache

typedef double Doubles __attribute__((vector_size(8 * kLanes), aligned(8), may_alias));

template <typename Scalar>
inline __attribute__((always_inline)) void Load(const Scalar* values, Doubles& result) {
  typedef Scalar Lanes
      __attribute__((vector_size(kLanes * sizeof(Scalar)), aligned(sizeof(Scalar)), may_alias));
  result = __builtin_convertvector(*reinterpret_cast<const Lanes*>(values), Doubles);
}

// sum += values * factor, a vector or a number.
template <typename Scalar, typename Factor>
inline __attribute__((always_inline)) void MultiplyAdd(const Scalar* values, const Factor& factor,
                                                       Doubles& sum) {
  Doubles numbers;
  Load(values, numbers);
  sum += numbers * factor;
}

// dots[r] = rows[r] . x for kCount rows that are `stride` apart; `next`: rows that come after them.
template <int64_t kCount, typename Scalar>
inline __attribute__((always_inline)) void Dots(int64_t size, int64_t stride, const Scalar* rows,
                                                const Scalar* next, const Scalar* x, double* dots) {
  Doubles sums[kCount] = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    Doubles first, second;
    Load(x + i, first);
    Load(x + i + kLanes, second);
    for (int64_t r = 0; r < kCount; ++r) {
      __builtin_prefetch(next + r * stride + i);
      MultiplyAdd(rows + r * stride + i, first, sums[r]);
      MultiplyAdd(rows + r * stride + i + kLanes, second, sums[r]);
    }
  }
  for (int64_t r = 0; r < kCount; ++r) {
    dots[r] = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) dots[r] += sums[r][lane];
    for (int64_t j = i; j < size; ++j) {
      dots[r] += static_cast<double>(rows[r * stride + j]) * static_cast<double>(x[j]);
    }
  }
}

// sums += sum over r of coefficients[r] rows[r].
template <int64_t kCount, typename Scalar>
inline __attribute__((always_inline)) void Add(int64_t size, int64_t stride, const Scalar* rows,
                                               const Scalar* next, const double* coefficients, double* sums) {
  int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    Doubles* into = reinterpret_cast<Doubles*>(sums + i);
    Doubles first = into[0], second = into[1];
    for (int64_t r = 0; r < kCount; ++r) {
      __builtin_prefetch(next + r * stride + i);
      MultiplyAdd(rows + r * stride + i, coefficients[r], first);
      MultiplyAdd(rows + r * stride + i + kLanes, coefficients[r], second);
    }
    into[0] = first;
    into[1] = second;
  }
  for (; i < size; ++i) {
    for (int64_t r = 0; r < kCount; ++r) {
      sums[i] += coefficients[r] * static_cast<double>(rows[r * stride + i]);
    }
  }
}

// `after`: where the rows' next block begins, or any of them.
template <typename Scalar>
PLUMB_VECTORIZED void DotsOfBlock(int64_t count, int64_t size, int64_t stride, const Scalar* rows,
                                  const Scalar* after, const Scalar* x, double* dots) {
  int64_t row = 0;
  for (; row + kRows <= count; row += kRows) {
    const Scalar* these = rows + row * stride;
    const bool more = row + 2 * kRows <= count;
    Dots<kRows>(size, stride, these, more ? these + kRows * stride : after, x, dots + row);
  }
  for (; row < count; ++row) Dots<1>(size, stride, rows + row * stride, after + row * stride, x, dots + row);
}

template <typename Scalar>
PLUMB_VECTORIZED void AddToBlock(int64_t count, int64_t size, int64_t stride, const Scalar* rows,
                                 const Scalar* after, const double* coefficients, double* sums) {
  int64_t row = 0;
  for (; row + kRows <= count; row += kRows) {
    const Scalar* these = rows + row * stride;
    const bool more = row + 2 * kRows <= count;
    Add<kRows>(size, stride, these, more ? these + kRows * stride : after, coefficients + row, sums);
  }
  for (; row < count; ++row) {
    Add<1>(size, stride, rows + row * stride, after + row * stride, coefficients + row, sums);
  }
}

// rows[r] . x for the first `count` rows of [m, d].
std::vector<double> RowDots(const at::Tensor& rows, int64_t count, const at::Tensor& x) {
  const int64_t size = rows.size(1);
  std::vector<double> partial(BlockCount(size, kColumns) * count);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "RowDots", [&] {
    const scalar_t* matrix = rows.const_data_ptr<scalar_t>();
    const scalar_t* vector = x.const_data_ptr<scalar_t>();
    ForEachBlock(
        size,
        [&](int64_t block, int64_t begin, int64_t end) {
          DotsOfBlock(count, end - begin, size, matrix + begin, matrix + (end < size ? end : begin),
                      vector + begin, partial.data() + block * count);
        },
        kColumns, /*grain_size=*/1);
  });
  std::vector<double> dots(count);
  for (int64_t block = 0; block < BlockCount(size, kColumns); ++block) {
    for (int64_t row = 0; row < count; ++row) dots[row] += partial[block * count + row];
  }
  return dots;
}

// output = x_scale x + sum over r of coefficients[r] rows[r]; the output may be x.
void AddRows(const at::Tensor& rows, const std::vector<double>& coefficients, const at::Tensor& x,
             double x_scale, const at::Tensor& output) {
  const int64_t size = rows.size(1);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "AddRows", [&] {
    const scalar_t* matrix = rows.const_data_ptr<scalar_t>();
    const scalar_t* vector = x.const_data_ptr<scalar_t>();
    scalar_t* result = output.mutable_data_ptr<scalar_t>();
    ForEachBlock(
        size,
        [&](int64_t, int64_t begin, int64_t end) {
          double sums[kColumns];
          for (int64_t i = begin; i < end; ++i) sums[i - begin] = x_scale * static_cast<double>(vector[i]);
          AddToBlock(coefficients.size(), end - begin, size, matrix + begin,
                     matrix + (end < size ? end : begin), coefficients.data(), sums);
          for (int64_t i = begin; i < end; ++i) result[i] = static_cast<scalar_t>(sums[i - begin]);
        },
        kColumns, /*grain_size=*/1);
  });
}

void CheckVector(const at::Tensor& x, const at::Tensor& rows) {
  TORCH_CHECK(x.dim() == 1 && x.size(0) == rows.size(1) && x.scalar_type() == rows.scalar_type(),
              "a vector of ", rows.size(1), " ", rows.scalar_type(), " is wanted, not ", x.sizes(), " ",
              x.scalar_type());
}

}  // namespace

InverseFisher::InverseFisher(at::Tensor gradients, double damp)
    : damp_(damp), vectors_(std::move(gradients)) {
  TORCH_CHECK(damp > 0, "damp must be above 0");
  TORCH_CHECK(vectors_.dim() == 2 && vectors_.is_contiguous(), "gradients must be a contiguous [m, d]");
  const int64_t m = vectors_.size(0);
  for (int64_t k = 0; k < m; ++k) {
    const at::Tensor gradient = vectors_[k].clone();
    std::vector<double> coefficients = RowDots(vectors_, k, gradient);
    for (int64_t i = 0; i < k; ++i) coefficients[i] /= -norms_[i];
    AddRows(vectors_, coefficients, gradient, 1 / damp, vectors_[k]);
    norms_.push_back(m + RowDots(vectors_[k].unsqueeze(0), 1, gradient)[0]);
  }
}

at::Tensor InverseFisher::Multiply(const at::Tensor& x) const {
  CheckVector(x, vectors_);
  const at::Tensor vector = x.contiguous();
  std::vector<double> coefficients = RowDots(vectors_, vectors_.size(0), vector);
  for (size_t k = 0; k < norms_.size(); ++k) coefficients[k] /= -norms_[k];
  at::Tensor product = at::empty_like(vector);
  AddRows(vectors_, coefficients, vector, 1 / damp_, product);
  return product;
}

double InverseFisher::Element(int64_t row, int64_t column) const {
  double element = row == column ? 1 / damp_ : 0;
  AT_DISPATCH_FLOATING_TYPES(vectors_.scalar_type(), "Element", [&] {
    const scalar_t* v = vectors_.const_data_ptr<scalar_t>();
    for (const double norm : norms_) {
      element -= static_cast<double>(v[row]) * static_cast<double>(v[column]) / norm;
      v += vectors_.size(1);
    }
  });
  return element;
}

at::Tensor InverseFisher::Diagonal() const {
  at::Tensor diagonal = at::zeros({vectors_.size(1)}, vectors_.options());
  AT_DISPATCH_FLOATING_TYPES(vectors_.scalar_type(), "Diagonal", [&] {
    scalar_t* values = diagonal.mutable_data_ptr<scalar_t>();
    ForEachBlock(diagonal.numel(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[i] = static_cast<scalar_t>(Element(i, i));
    });
  });
  return diagonal;
}

SlidingInverseFisher::SlidingInverseFisher(int64_t window, int64_t size, double damp, at::ScalarType dtype)
    : damp_(damp),
      gradients_(at::zeros({window, size}, dtype)),
      factor_(at::zeros({window, window}, at::kDouble)),
      pushed_(at::scalar_tensor(0, at::kLong)) {
  TORCH_CHECK(window > 0 && damp > 0, "the window and damp must be above 0");
}

int64_t SlidingInverseFisher::count() const {
  return std::min(gradients_.size(0), *pushed_.const_data_ptr<int64_t>());
}

int64_t SlidingInverseFisher::Row(int64_t age_rank) const {
  return (*pushed_.const_data_ptr<int64_t>() - count() + age_rank) % gradients_.size(0);
}

void SlidingInverseFisher::Push(const at::Tensor& gradient) {
  CheckVector(gradient, gradients_);
  const int64_t window = gradients_.size(0);
  double* factor = factor_.mutable_data_ptr<double>();
  const auto entry = [&](int64_t row, int64_t column) -> double& { return factor[row * window + column]; };
  if (count() == window) {
    // The rest of the matrix is L22 L22^T + l21 l21^T: a rank-1 update of L22 by Givens rotations, which
    // moves up and to the left on the way, a row at a time.
    std::vector<double> cosines(window), sines(window);
    for (int64_t i = 1; i < window; ++i) {
      double rest = entry(i, 0);
      for (int64_t j = 1; j < i; ++j) {
        const double value = entry(i, j);
        entry(i - 1, j - 1) = cosines[j] * value + sines[j] * rest;
        rest = cosines[j] * rest - sines[j] * value;
      }
      const double diagonal = std::hypot(entry(i, i), rest);
      cosines[i] = entry(i, i) / diagonal;
      sines[i] = rest / diagonal;
      entry(i - 1, i - 1) = diagonal;
    }
  }
  int64_t& pushed = *pushed_.mutable_data_ptr<int64_t>();
  gradients_[pushed % window].copy_(gradient);
  ++pushed;

  const int64_t n = count();
  const std::vector<double> dots = RowDots(gradients_, n, gradients_[Row(n - 1)]);
  const double damping = window * damp_;
  double* last = &entry(n - 1, 0);
  for (int64_t j = 0; j < n - 1; ++j) {
    last[j] = (dots[Row(j)] - Dot(last, &entry(j, 0), j)) / entry(j, j);
  }
  // At least the damping, whatever rounding says.
  last[n - 1] = std::sqrt(std::max(dots[Row(n - 1)] + damping - Dot(last, last, n - 1), damping));
}

void SlidingInverseFisher::SolveUpper(std::vector<double>* values) const {
  const double* factor = factor_.const_data_ptr<double>();
  const int64_t window = gradients_.size(0);
  for (int64_t i = count() - 1; i >= 0; --i) {
    const double value = (*values)[i] /= factor[i * window + i];
    for (int64_t k = 0; k < i; ++k) (*values)[k] -= factor[i * window + k] * value;
  }
}

void SlidingInverseFisher::Solve(std::vector<double>* values) const {
  const double* factor = factor_.const_data_ptr<double>();
  const int64_t window = gradients_.size(0);
  for (int64_t i = 0; i < count(); ++i) {
    const double* row = factor + i * window;
    (*values)[i] = ((*values)[i] - Dot(row, values->data(), i)) / row[i];
  }
  SolveUpper(values);
}

at::Tensor SlidingInverseFisher::Combine(const std::vector<double>& by_age, const at::Tensor& x,
                                         double x_scale) const {
  std::vector<double> coefficients(count());
  for (int64_t i = 0; i < count(); ++i) coefficients[Row(i)] = by_age[i];
  at::Tensor result = at::empty_like(x);
  AddRows(gradients_, coefficients, x, x_scale, result);
  return result;
}

at::Tensor SlidingInverseFisher::Multiply(const at::Tensor& x) const {
  CheckVector(x, gradients_);
  const at::Tensor vector = x.contiguous();
  const std::vector<double> dots = RowDots(gradients_, count(), vector);
  std::vector<double> by_age(count());
  for (int64_t i = 0; i < count(); ++i) by_age[i] = dots[Row(i)];
  Solve(&by_age);
  for (double& value : by_age) value /= -damp_;
  return Combine(by_age, vector, 1 / damp_);
}

at::Tensor SlidingInverseFisher::MultiplyNewest() const {
  TORCH_CHECK(count() > 0, "no gradient was pushed");
  // L^-1 e of the last unit vector is that vector over the last diagonal entry.
  const int64_t last = count() - 1;
  std::vector<double> by_age(count());
  by_age[last] = gradients_.size(0) / factor_.const_data_ptr<double>()[last * (gradients_.size(0) + 1)];
  SolveUpper(&by_age);
  return Combine(by_age, gradients_[Row(last)], 0);
}

}  // namespace plumb
