#include "optim/core/cholesky.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kernels/vectorized.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

PLUMB_VECTORIZED void AddScaled(double* y, const double* x, double scale, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) y[i] += scale * x[i];
}

at::Tensor F64(const at::Tensor& tensor) { return tensor.detach().to(at::kDouble).contiguous(); }

absl::Status NotPositive(int64_t pivot, double value, double jitter) {
  return absl::FailedPreconditionError(
      absl::StrCat("matrix is not positive definite: pivot ", pivot, " is ", value, " at jitter ", jitter));
}

}  // namespace

bool Cholesky::FinishRow(int64_t i, double* row) const {
  for (int64_t j = 0; j < i; ++j) row[j] = (row[j] - Dot(row, Row(j), j)) / Row(j)[j];
  row[i] -= Dot(row, row, i);
  if (!(row[i] > 0) || !std::isfinite(row[i])) return false;
  row[i] = std::sqrt(row[i]);
  return true;
}

absl::StatusOr<Cholesky> Cholesky::Factor(const at::Tensor& a, const JitterOptions& jitter) {
  PLUMB_RETURN_IF_ERROR(CheckShape("matrix", a, {kAny, a.dim() > 0 ? a.size(0) : kAny}));
  const at::Tensor matrix = F64(a);
  const double* data = matrix.const_data_ptr<double>();
  Cholesky result;
  result.size_ = matrix.size(0);
  result.factor_.resize(result.size_ * (result.size_ + 1) / 2);
  double diagonal = 0;
  for (int64_t i = 0; i < result.size_; ++i) diagonal += std::abs(data[i * result.size_ + i]) / result.size_;
  double relative = 0;
  while (true) {
    result.jitter_ = relative == 0 ? 0 : relative * diagonal;  // the diagonal may be NaN
    int64_t i = 0;
    bool positive = true;
    for (; i < result.size_ && positive; ++i) {
      double* row = result.Row(i);
      std::copy_n(data + i * result.size_, i + 1, row);
      row[i] += result.jitter_;
      positive = result.FinishRow(i, row);
    }
    if (positive) return result;
    relative = relative == 0 ? jitter.first : 10 * relative;
    const double pivot = result.Row(i - 1)[i - 1];
    if (relative == 0 || relative > jitter.most * (1 + 1e-9) || !std::isfinite(pivot)) {
      return NotPositive(i - 1, pivot, result.jitter_);
    }
  }
}

std::vector<absl::StatusOr<Cholesky>> Cholesky::FactorBatch(const at::Tensor& a,
                                                            const JitterOptions& jitter) {
  TORCH_CHECK(a.dim() == 3, "matrices: shape ", a.sizes(), ", expected [B, N, N]");
  const at::Tensor matrices = F64(a);
  std::vector<std::optional<absl::StatusOr<Cholesky>>> found(a.size(0));
  at::parallel_for(0, a.size(0), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) found[i] = Factor(matrices[i], jitter);
  });
  std::vector<absl::StatusOr<Cholesky>> factors;
  for (auto& factor : found) factors.push_back(*std::move(factor));
  return factors;
}

// L L' + v v', from row `first` on, by Givens rotations; v is used up.
void Cholesky::UpdateFrom(int64_t first, double* v) {
  for (int64_t k = first; k < size_; ++k) {
    double* pivot = Row(k) + k;
    const double length = std::hypot(*pivot, v[k]), cosine = length / *pivot, sine = v[k] / *pivot;
    *pivot = length;
    for (int64_t i = k + 1; i < size_; ++i) {
      double& element = Row(i)[k];
      element = (element + sine * v[i]) / cosine;
      v[i] = cosine * v[i] - sine * element;
    }
  }
}

absl::Status Cholesky::Update(const at::Tensor& v) {
  PLUMB_RETURN_IF_ERROR(CheckShape("update", v, {size_}));
  at::Tensor work = F64(v).clone();
  UpdateFrom(0, work.mutable_data_ptr<double>());
  return absl::OkStatus();
}

// Golub and Van Loan, section 6.5.4: with L p = v, A - v v' is positive definite if and only if |p| < 1, and
// the rotations that take (p, sqrt(1 - |p|^2)) to a unit vector, from the last element to the first, turn L
// into its factor.
absl::Status Cholesky::Downdate(const at::Tensor& v) {
  PLUMB_RETURN_IF_ERROR(CheckShape("downdate", v, {size_}));
  const at::Tensor solved = SolveLower(v);
  const double* p = solved.const_data_ptr<double>();
  const double rest = 1 - Dot(p, p, size_);
  if (!(rest > 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat("downdate: the matrix would not be positive definite: 1 - v'A^-1 v is ", rest));
  }
  double alpha = std::sqrt(rest);
  std::vector<double> carried(size_);
  for (int64_t k = size_ - 1; k >= 0; --k) {
    const double length = std::hypot(alpha, p[k]), cosine = alpha / length, sine = p[k] / length;
    alpha = length;
    for (int64_t i = k; i < size_; ++i) {
      double& element = Row(i)[k];
      const double old = element;
      element = cosine * old - sine * carried[i];
      carried[i] = sine * old + cosine * carried[i];
    }
  }
  return absl::OkStatus();
}

absl::Status Cholesky::Append(const at::Tensor& cross, const at::Tensor& block) {
  PLUMB_RETURN_IF_ERROR(CheckShape("cross", cross, {size_, kAny}));
  const int64_t more = cross.size(1), old_size = size_;
  PLUMB_RETURN_IF_ERROR(CheckShape("block", block, {more, more}));
  const at::Tensor columns = F64(cross.t()), corner = F64(block);
  for (int64_t k = 0; k < more; ++k) {
    const int64_t size = factor_.size();
    factor_.resize(size + size_ + 1);
    double* row = factor_.data() + size;
    std::copy_n(columns.const_data_ptr<double>() + k * old_size, old_size, row);
    std::copy_n(corner.const_data_ptr<double>() + k * more, k + 1, row + old_size);
    row[size_] += jitter_;
    if (!FinishRow(size_, row)) {
      const double pivot = row[size_];
      const int64_t at = size_;
      size_ = old_size;
      factor_.resize(size_ * (size_ + 1) / 2);
      return NotPositive(at, pivot, jitter_);
    }
    ++size_;
  }
  return absl::OkStatus();
}

absl::Status Cholesky::Remove(int64_t index) {
  if (index < 0 || index >= size_) {
    return absl::OutOfRangeError(absl::StrCat("row ", index, " of a matrix of size ", size_));
  }
  // The rows below lose column `index`, whose outer product goes to what is below and right of it.
  std::vector<double> lost(size_ - 1);
  double* to = Row(index);
  for (int64_t i = index + 1; i < size_; ++i) {
    const double* row = Row(i);
    lost[i - 1] = row[index];
    to = std::copy_n(row, index, to);
    to = std::copy_n(row + index + 1, i - index, to);
  }
  --size_;
  factor_.resize(size_ * (size_ + 1) / 2);
  UpdateFrom(index, lost.data());
  return absl::OkStatus();
}

at::Tensor Cholesky::SolveLower(const at::Tensor& b) const {
  TORCH_CHECK(b.dim() >= 1 && b.dim() <= 2 && b.size(0) == size_, "right side: ", b.sizes(), " for size ",
              size_);
  at::Tensor result = F64(b).clone();
  const int64_t columns = b.dim() == 1 ? 1 : b.size(1);
  double* x = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size_; ++i) {
    const double* row = Row(i);
    if (columns == 1) {
      x[i] = (x[i] - Dot(row, x, i)) / row[i];
      continue;
    }
    for (int64_t j = 0; j < i; ++j) AddScaled(x + i * columns, x + j * columns, -row[j], columns);
    for (int64_t c = 0; c < columns; ++c) x[i * columns + c] /= row[i];
  }
  return result;
}

at::Tensor Cholesky::SolveUpper(const at::Tensor& b) const {
  TORCH_CHECK(b.dim() >= 1 && b.dim() <= 2 && b.size(0) == size_, "right side: ", b.sizes(), " for size ",
              size_);
  at::Tensor result = F64(b).clone();
  const int64_t columns = b.dim() == 1 ? 1 : b.size(1);
  double* x = result.mutable_data_ptr<double>();
  for (int64_t i = size_ - 1; i >= 0; --i) {
    const double* row = Row(i);
    for (int64_t c = 0; c < columns; ++c) x[i * columns + c] /= row[i];
    if (columns == 1) {
      AddScaled(x, row, -x[i], i);
      continue;
    }
    for (int64_t j = 0; j < i; ++j) AddScaled(x + j * columns, x + i * columns, -row[j], columns);
  }
  return result;
}

at::Tensor Cholesky::Solve(const at::Tensor& b) const { return SolveUpper(SolveLower(b)); }

at::Tensor Cholesky::Inverse() const {
  // Row k of L^-1 ends at column k, so row i of its Gram matrix needs the rows from i on.
  const at::Tensor identity = at::zeros({size_, size_}, at::kDouble),
                   inverse = at::zeros({size_, size_}, at::kDouble);
  double *w = identity.mutable_data_ptr<double>(), *a = inverse.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size_; ++i) {
    const double* row = Row(i);
    for (int64_t j = 0; j < i; ++j) AddScaled(w + i * size_, w + j * size_, -row[j] / row[i], j + 1);
    w[i * size_ + i] = 1 / row[i];
  }
  for (int64_t k = 0; k < size_; ++k) {
    for (int64_t i = 0; i <= k; ++i) AddScaled(a + i * size_, w + k * size_, w[k * size_ + i], i + 1);
  }
  for (int64_t i = 0; i < size_; ++i) {
    for (int64_t j = 0; j < i; ++j) a[j * size_ + i] = a[i * size_ + j];
  }
  return inverse;
}

double Cholesky::LogDeterminant() const {
  double sum = 0;
  for (int64_t i = 0; i < size_; ++i) sum += std::log(Row(i)[i]);
  return 2 * sum;
}

at::Tensor Cholesky::Lower() const {
  const at::Tensor lower = at::zeros({size_, size_}, at::kDouble);
  for (int64_t i = 0; i < size_; ++i)
    std::copy_n(Row(i), i + 1, lower.mutable_data_ptr<double>() + i * size_);
  return lower;
}

}  // namespace plumb
