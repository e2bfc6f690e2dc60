#ifndef PLUMB_OPTIM_RELAXATION_RELAXATION_SOLVERS_H_
#define PLUMB_OPTIM_RELAXATION_RELAXATION_SOLVERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/core/linear_solvers.h"

namespace plumb {

// A square matrix by its nonzeros, as the sum of its diagonal D and what lies below (L) and above (U). f64.
class SparseMatrix {
 public:
  struct Entry {
    int64_t row, column;
    double value;
  };

  // Entries of one place are added. Error: a place outside, a zero on the diagonal.
  static absl::StatusOr<SparseMatrix> FromEntries(int64_t size, std::vector<Entry> entries);
  static absl::StatusOr<SparseMatrix> FromDense(const at::Tensor& a);  // [N, N]

  int64_t size() const { return diagonal_.size(); }
  int64_t nonzeros() const { return size() + columns_.size(); }

  // This + c I. Error: a zero on the diagonal.
  absl::StatusOr<SparseMatrix> Shifted(double c) const;

  at::Tensor Multiply(const at::Tensor& v) const;                     // [N] -> [N]
  at::Tensor SolveLower(const at::Tensor& v, double omega) const;     // (D / omega + L)^-1 v
  at::Tensor SolveUpper(const at::Tensor& v, double omega) const;     // (D / omega + U)^-1 v
  at::Tensor ScaleByDiagonal(const at::Tensor& v, double by) const;   // by D v
  void RelaxInPlace(const double* b, double omega, double* x) const;  // x += (D / omega + L)^-1 (b - A x)
  double SquaredResidual(const double* b, const double* x) const;     // |b - A x|^2

 private:
  // The sum of row i's elements off the diagonal from `first` to `last` times those of x.
  double Sum(int64_t first, int64_t last, const double* x) const;
  absl::Status CheckDiagonal() const;

  // Row i without its diagonal: columns_ and values_ from begins_[i] to begins_[i + 1], those of L up to
  // middles_[i].
  std::vector<double> diagonal_;
  std::vector<int64_t> begins_, middles_, columns_;
  std::vector<double> values_;
};

// Successive over-relaxation (Young 1950): x += (D / omega + L)^-1 (b - A x), which converges from anywhere
// for symmetric positive definite A and 0 < omega < 2. As the solvers of linear_solvers.h, but with 10000
// iterations where options.stop() leaves them out. b: [N], f64. Errors: shapes, omega.
absl::StatusOr<LinearSolution> SuccessiveOverRelaxation(const SparseMatrix& a, const at::Tensor& b,
                                                        double omega, const LinearSolverOptions& options,
                                                        const at::Tensor& x_0 = {});

// The inverse of omega / (2 - omega) (D / omega + L) D^-1 (D / omega + U): symmetric over-relaxation as a
// preconditioner of symmetric A. `a` must outlive it; 0 < omega < 2.
LinearOperator SymmetricOverRelaxation(const SparseMatrix& a, double omega);

// Conjugate gradients with it (SSOR-CG). A symmetric positive definite.
absl::StatusOr<LinearSolution> OverRelaxedConjugateGradient(const SparseMatrix& a, const at::Tensor& b,
                                                            double omega, const LinearSolverOptions& options,
                                                            const at::Tensor& x_0 = {});

}  // namespace plumb

#endif  // PLUMB_OPTIM_RELAXATION_RELAXATION_SOLVERS_H_
