#ifndef PLUMB_OPTIM_CORE_LINEAR_SOLVERS_H_
#define PLUMB_OPTIM_CORE_LINEAR_SOLVERS_H_

#include <ATen/core/Tensor.h>

#include <functional>

#include "absl/status/statusor.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// v -> A v: [N] -> [N], which must keep the dtype and may not change v.
using LinearOperator = std::function<at::Tensor(const at::Tensor& v)>;

struct LinearSolution {
  at::Tensor x;     // [N], the best so far whatever the termination
  Summary summary;  // optimality: |b - A x|, by the recurrence in the history, computed anew at the end
};

// Matrix-free solvers of A x = b, b [N] in f32 or f64 on the CPU; inner products are summed in f64, so
// results do not depend on the number of threads as long as the operator's do not. `preconditioner` (may be
// null) is an approximation of the inverse of A; `x_0` may be undefined: zero. A solver that thinks it has
// converged computes b - A x itself, and goes on from there when rounding had deceived it. Breakdowns are
// kNumericalFailure with what broke; an operator that throws or gives NaN likewise. Errors: shapes or dtypes
// that do not fit, an A'b that throws.

// A symmetric positive definite (Hestenes and Stiefel 1952); a direction with p'Ap <= 0 is a breakdown. The
// preconditioner must be symmetric positive definite too.
absl::StatusOr<LinearSolution> ConjugateGradient(const LinearOperator& a, const at::Tensor& b,
                                                 const LinearSolverOptions& options,
                                                 const LinearOperator& preconditioner = nullptr,
                                                 const at::Tensor& x_0 = {});

// Any A, [M] x [N], by conjugate gradients on A'A x = A'b without that product: min |b - A x|. Tolerances and
// `optimality` are of A'(b - A x) against A'b, which goes to zero where b is out of reach too. The
// preconditioner approximates the inverse of A'A.
absl::StatusOr<LinearSolution> NormalConjugateGradient(const LinearOperator& a,
                                                       const LinearOperator& a_transposed,
                                                       const at::Tensor& b,
                                                       const LinearSolverOptions& options,
                                                       const LinearOperator& preconditioner = nullptr,
                                                       const at::Tensor& x_0 = {});

// Any square A, two products an iteration, O(N) memory (van der Vorst 1992). Preconditioned from the right.
absl::StatusOr<LinearSolution> BiCgStab(const LinearOperator& a, const at::Tensor& b,
                                        const LinearSolverOptions& options,
                                        const LinearOperator& preconditioner = nullptr,
                                        const at::Tensor& x_0 = {});

// Any square A, one product an iteration, options.restart() vectors kept (Saad and Schultz 1986).
// Preconditioned from the right, so that the residual is that of A x = b.
absl::StatusOr<LinearSolution> Gmres(const LinearOperator& a, const at::Tensor& b,
                                     const LinearSolverOptions& options,
                                     const LinearOperator& preconditioner = nullptr,
                                     const at::Tensor& x_0 = {});

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_LINEAR_SOLVERS_H_
