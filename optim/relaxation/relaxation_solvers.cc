#include "optim/relaxation/relaxation_solvers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

absl::Status CheckOmega(double omega) {
  if (omega > 0 && omega < 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("omega ", omega, ": must be within (0, 2)"));
}

absl::Status CheckVector(absl::string_view name, const at::Tensor& v, int64_t size) {
  PLUMB_RETURN_IF_ERROR(CheckShape(name, v, {size}));
  return CheckDtype(name, v, at::kDouble);
}

}  // namespace

absl::StatusOr<SparseMatrix> SparseMatrix::FromEntries(int64_t size, std::vector<Entry> entries) {
  for (const Entry& entry : entries) {
    if (entry.row < 0 || entry.row >= size || entry.column < 0 || entry.column >= size) {
      return absl::InvalidArgumentError(absl::StrCat("entry (", entry.row, ", ", entry.column,
                                                     "): outside a matrix of ", size, " rows and columns"));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::make_pair(a.row, a.column) < std::make_pair(b.row, b.column);
  });
  SparseMatrix matrix;
  matrix.diagonal_.assign(size, 0);
  size_t next = 0;
  for (int64_t row = 0; row < size; ++row) {
    const int64_t begin = matrix.columns_.size();
    int64_t below = 0;
    for (; next < entries.size() && entries[next].row == row; ++next) {
      const Entry& entry = entries[next];
      const bool again =
          static_cast<int64_t>(matrix.columns_.size()) > begin && matrix.columns_.back() == entry.column;
      if (entry.column == row) {
        matrix.diagonal_[row] += entry.value;
      } else if (again) {
        matrix.values_.back() += entry.value;
      } else {
        matrix.columns_.push_back(entry.column);
        matrix.values_.push_back(entry.value);
        below += entry.column < row;
      }
    }
    matrix.begins_.push_back(begin);
    matrix.middles_.push_back(begin + below);
  }
  matrix.begins_.push_back(matrix.columns_.size());
  PLUMB_RETURN_IF_ERROR(matrix.CheckDiagonal());
  return matrix;
}

absl::StatusOr<SparseMatrix> SparseMatrix::FromDense(const at::Tensor& a) {
  PLUMB_RETURN_IF_ERROR(CheckShape("matrix", a, {kAny, kAny}));
  PLUMB_RETURN_IF_ERROR(CheckShape("matrix", a, {a.size(0), a.size(0)}));
  const at::Tensor dense = a.detach().to(at::kDouble).contiguous();
  const double* data = dense.const_data_ptr<double>();
  const int64_t size = dense.size(0);
  std::vector<Entry> entries;
  for (int64_t i = 0; i < size * size; ++i) {
    if (data[i] != 0) entries.push_back({i / size, i % size, data[i]});
  }
  return FromEntries(size, std::move(entries));
}

absl::Status SparseMatrix::CheckDiagonal() const {
  for (int64_t row = 0; row < size(); ++row) {
    if (diagonal_[row] == 0) {
      return absl::InvalidArgumentError(absl::StrCat("matrix: element (", row, ", ", row,
                                                     ") is 0; over-relaxation divides by the diagonal"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SparseMatrix> SparseMatrix::Shifted(double c) const {
  SparseMatrix shifted = *this;
  for (double& element : shifted.diagonal_) element += c;
  PLUMB_RETURN_IF_ERROR(shifted.CheckDiagonal());
  return shifted;
}

double SparseMatrix::Sum(int64_t first, int64_t last, const double* x) const {
  double sum = 0;
  for (int64_t k = first; k < last; ++k) sum += values_[k] * x[columns_[k]];
  return sum;
}

at::Tensor SparseMatrix::Multiply(const at::Tensor& v) const {
  const at::Tensor x = v.contiguous(), result = at::empty_like(x);
  const double* in = x.const_data_ptr<double>();
  double* out = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size(); ++i) out[i] = diagonal_[i] * in[i] + Sum(begins_[i], begins_[i + 1], in);
  return result;
}

at::Tensor SparseMatrix::SolveLower(const at::Tensor& v, double omega) const {
  const at::Tensor from = v.contiguous(), result = at::empty_like(from);
  const double* in = from.const_data_ptr<double>();
  double* out = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size(); ++i) {
    out[i] = (in[i] - Sum(begins_[i], middles_[i], out)) * omega / diagonal_[i];
  }
  return result;
}

at::Tensor SparseMatrix::SolveUpper(const at::Tensor& v, double omega) const {
  const at::Tensor from = v.contiguous(), result = at::empty_like(from);
  const double* in = from.const_data_ptr<double>();
  double* out = result.mutable_data_ptr<double>();
  for (int64_t i = size() - 1; i >= 0; --i) {
    out[i] = (in[i] - Sum(middles_[i], begins_[i + 1], out)) * omega / diagonal_[i];
  }
  return result;
}

at::Tensor SparseMatrix::ScaleByDiagonal(const at::Tensor& v, double by) const {
  const at::Tensor from = v.contiguous(), result = at::empty_like(from);
  const double* in = from.const_data_ptr<double>();
  double* out = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < size(); ++i) out[i] = by * diagonal_[i] * in[i];
  return result;
}

// Row by row: the elements of x above are new already, which is the solve with D / omega + L.
void SparseMatrix::RelaxInPlace(const double* b, double omega, double* x) const {
  for (int64_t i = 0; i < size(); ++i) {
    x[i] += omega * ((b[i] - Sum(begins_[i], begins_[i + 1], x)) / diagonal_[i] - x[i]);
  }
}

double SparseMatrix::SquaredResidual(const double* b, const double* x) const {
  double sum = 0;
  for (int64_t i = 0; i < size(); ++i) {
    const double rest = b[i] - diagonal_[i] * x[i] - Sum(begins_[i], begins_[i + 1], x);
    sum += rest * rest;
  }
  return sum;
}

absl::StatusOr<LinearSolution> SuccessiveOverRelaxation(const SparseMatrix& a, const at::Tensor& b,
                                                        double omega, const LinearSolverOptions& options,
                                                        const at::Tensor& x_0) {
  PLUMB_RETURN_IF_ERROR(CheckOmega(omega));
  PLUMB_RETURN_IF_ERROR(CheckVector("b", b, a.size()));
  if (x_0.defined()) PLUMB_RETURN_IF_ERROR(CheckVector("x_0", x_0, a.size()));
  const at::NoGradGuard no_grad;
  StopOptions stop = options.stop();
  if (!stop.has_max_iterations()) stop.set_max_iterations(10000);
  SolverRun run(stop);
  const at::Tensor right = b.contiguous();
  const double* side = right.const_data_ptr<double>();
  LinearSolution solution{x_0.defined() ? x_0.clone().contiguous() : at::zeros_like(right), {}};
  double* x = solution.x.mutable_data_ptr<double>();
  double squared = 0;
  for (int64_t i = 0; i < a.size(); ++i) squared += side[i] * side[i];
  const double tolerance =
      std::max(options.relative_tolerance() * std::sqrt(squared), options.absolute_tolerance());
  double residual = std::sqrt(a.SquaredResidual(side, x));
  const auto end = [&](Summary summary) {
    summary.reason +=
        absl::StrCat(summary.reason.empty() ? "" : "; ", "|b - A x| = ", residual, ", tolerance ", tolerance);
    summary.optimality = residual;
    solution.summary = std::move(summary);
    return solution;
  };
  while (residual > tolerance && !run.MustStop()) {
    a.RelaxInPlace(side, omega, x);
    residual = std::sqrt(a.SquaredResidual(side, x));
    ++run.calls().matrix_vectors;
    IterationRecord record;
    record.optimality = residual;
    run.EndIteration(record);
    if (!std::isfinite(residual)) {
      return end(run.End(Termination::kNumericalFailure, "it diverges: A must be positive definite"));
    }
  }
  return end(residual <= tolerance ? run.End(Termination::kConverged, "") : run.End());
}

LinearOperator SymmetricOverRelaxation(const SparseMatrix& a, double omega) {
  return [&a, omega](const at::Tensor& v) {
    return a.SolveUpper(a.ScaleByDiagonal(a.SolveLower(v, omega), (2 - omega) / omega), omega);
  };
}

absl::StatusOr<LinearSolution> OverRelaxedConjugateGradient(const SparseMatrix& a, const at::Tensor& b,
                                                            double omega, const LinearSolverOptions& options,
                                                            const at::Tensor& x_0) {
  PLUMB_RETURN_IF_ERROR(CheckOmega(omega));
  PLUMB_RETURN_IF_ERROR(CheckVector("b", b, a.size()));
  return ConjugateGradient([&a](const at::Tensor& v) { return a.Multiply(v); }, b, options,
                           SymmetricOverRelaxation(a, omega), x_0);
}

}  // namespace plumb
