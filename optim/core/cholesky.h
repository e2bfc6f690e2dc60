#ifndef PLUMB_OPTIM_CORE_CHOLESKY_H_
#define PLUMB_OPTIM_CORE_CHOLESKY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plumb {

// Added to the diagonal of a matrix that is not positive definite as it is: first `first` times its mean
// diagonal, then 10 times as much each time, at most `most` times. first = 0: never.
struct JitterOptions {
  double first = 0;
  double most = 1e-4;
};

// The factor L of a symmetric positive definite matrix A + jitter I = L L', that follows changes of A in
// O(N^2) where a new factorisation takes O(N^3) (Golub and Van Loan 2013, sections 4.2 and 6.5). f64 on the
// CPU; the same bits for any number of threads. What fails leaves the factor as it was.
class Cholesky {
 public:
  Cholesky() = default;  // of the matrix [0, 0]; Append makes it grow

  // a: [N, N]; its lower triangle is read. An error says which pivot is not positive.
  static absl::StatusOr<Cholesky> Factor(const at::Tensor& a, const JitterOptions& jitter = {});

  // a: [B, N, N]; each by itself, in parallel.
  static std::vector<absl::StatusOr<Cholesky>> FactorBatch(const at::Tensor& a,
                                                           const JitterOptions& jitter = {});

  int64_t size() const { return size_; }
  double jitter() const { return jitter_; }  // what was added to the diagonal, in units of A

  // A + v v'. v: [N].
  absl::Status Update(const at::Tensor& v);
  // A - v v'; an error when that is not positive definite.
  absl::Status Downdate(const at::Tensor& v);
  // A gets M more rows and columns: `cross` [N, M] against what is there, `block` [M, M] among themselves
  // (the jitter joins its diagonal).
  absl::Status Append(const at::Tensor& cross, const at::Tensor& block);
  // A loses row and column `index`.
  absl::Status Remove(int64_t index);

  // (A + jitter I)^-1 b, L^-1 b and L'^-1 b. b: [N] or [N, M].
  at::Tensor Solve(const at::Tensor& b) const;
  at::Tensor SolveLower(const at::Tensor& b) const;
  at::Tensor SolveUpper(const at::Tensor& b) const;
  at::Tensor Inverse() const;     // [N, N], symmetric to the last bit
  double LogDeterminant() const;  // of A + jitter I
  at::Tensor Lower() const;       // [N, N], zeros above the diagonal

 private:
  double* Row(int64_t i) { return factor_.data() + i * (i + 1) / 2; }
  const double* Row(int64_t i) const { return factor_.data() + i * (i + 1) / 2; }
  // Row i of the factor from row i of the matrix, in place; false when the pivot is not positive.
  bool FinishRow(int64_t i, double* row) const;
  void UpdateFrom(int64_t first, double* v);

  int64_t size_ = 0;
  double jitter_ = 0;
  std::vector<double> factor_;  // rows of the lower triangle end to end, so that appending moves nothing
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_CHOLESKY_H_
