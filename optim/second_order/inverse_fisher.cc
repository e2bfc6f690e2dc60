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

namespace plumb {
namespace {

// Sixteen sums side by side, so that the loop needs no reordering to be vectorised.
template <typename Scalar>
inline __attribute__((always_inline)) double Dot(int64_t size, const Scalar* __restrict a,
                                                 const Scalar* __restrict b) {
  constexpr int64_t kLanes = 16;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  double sum = 0;
  for (const double lane : sums) sum += lane;
  for (; i < size; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

PLUMB_VECTORIZED double DotBlock(int64_t size, const float* a, const float* b) { return Dot(size, a, b); }
PLUMB_VECTORIZED double DotBlock(int64_t size, const double* a, const double* b) { return Dot(size, a, b); }

template <typename Scalar>
inline __attribute__((always_inline)) void Add(int64_t size, double scale, const Scalar* __restrict values,
                                               double* __restrict sums) {
  for (int64_t i = 0; i < size; ++i) sums[i] += scale * static_cast<double>(values[i]);
}

PLUMB_VECTORIZED void AddBlock(int64_t size, double scale, const float* values, double* sums) {
  Add(size, scale, values, sums);
}
PLUMB_VECTORIZED void AddBlock(int64_t size, double scale, const double* values, double* sums) {
  Add(size, scale, values, sums);
}

// rows[r] . x for the first `count` rows of [m, d].
std::vector<double> RowDots(const at::Tensor& rows, int64_t count, const at::Tensor& x) {
  const int64_t size = rows.size(1);
  std::vector<double> partial(BlockCount(size) * count);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "RowDots", [&] {
    const scalar_t* matrix = rows.const_data_ptr<scalar_t>();
    const scalar_t* vector = x.const_data_ptr<scalar_t>();
    ForEachBlock(size, [&](int64_t block, int64_t begin, int64_t end) {
      for (int64_t row = 0; row < count; ++row) {
        partial[block * count + row] = DotBlock(end - begin, matrix + row * size + begin, vector + begin);
      }
    });
  });
  std::vector<double> dots(count);
  for (int64_t block = 0; block < BlockCount(size); ++block) {
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
    ForEachBlock(size, [&](int64_t, int64_t begin, int64_t end) {
      double sums[kBlockSize] = {};
      AddBlock(end - begin, x_scale, vector + begin, sums);
      for (size_t row = 0; row < coefficients.size(); ++row) {
        if (coefficients[row] == 0) continue;
        AddBlock(end - begin, coefficients[row], matrix + row * size + begin, sums);
      }
      for (int64_t i = begin; i < end; ++i) result[i] = static_cast<scalar_t>(sums[i - begin]);
    });
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
    // moves up and to the left on the way.
    std::vector<double> column(window);
    for (int64_t i = 1; i < window; ++i) column[i] = entry(i, 0);
    for (int64_t j = 1; j < window; ++j) {
      const double diagonal = std::hypot(entry(j, j), column[j]);
      const double cosine = entry(j, j) / diagonal, sine = column[j] / diagonal;
      entry(j - 1, j - 1) = diagonal;
      for (int64_t i = j + 1; i < window; ++i) {
        const double value = entry(i, j);
        entry(i - 1, j - 1) = cosine * value + sine * column[i];
        column[i] = cosine * column[i] - sine * value;
      }
    }
  }
  int64_t& pushed = *pushed_.mutable_data_ptr<int64_t>();
  gradients_[pushed % window].copy_(gradient);
  ++pushed;

  const int64_t n = count();
  const std::vector<double> dots = RowDots(gradients_, n, gradients_[Row(n - 1)]);
  const double damping = window * damp_;
  double rest = dots[Row(n - 1)] + damping;
  for (int64_t j = 0; j < n - 1; ++j) {
    double value = dots[Row(j)];
    for (int64_t k = 0; k < j; ++k) value -= entry(n - 1, k) * entry(j, k);
    entry(n - 1, j) = value / entry(j, j);
    rest -= entry(n - 1, j) * entry(n - 1, j);
  }
  // At least the damping, whatever rounding says.
  entry(n - 1, n - 1) = std::sqrt(std::max(rest, damping));
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
    double value = (*values)[i];
    for (int64_t k = 0; k < i; ++k) value -= factor[i * window + k] * (*values)[k];
    (*values)[i] = value / factor[i * window + i];
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
