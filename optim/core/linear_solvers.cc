#include "optim/core/linear_solvers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

// The state that the methods share, and one attempt of each: from a residual to where it says that it has
// converged, broke down or had to stop.
struct System {
  LinearOperator a, preconditioner;
  at::Tensor x, residual;
  double tolerance = 0;
  int64_t restart = 0;
  SolverRun& run;
  std::string breakdown = {};

  at::Tensor Multiply(const at::Tensor& v) {
    ++run.calls().matrix_vectors;
    return a(v);
  }
  at::Tensor Precondition(const at::Tensor& v) {
    if (!preconditioner) return v;
    ++run.calls().preconditioners;
    return preconditioner(v);
  }
  // Keeps the record; false when the attempt is over.
  bool GoOn(double norm, double step) {
    IterationRecord record;
    record.optimality = norm;
    record.step = step;
    run.EndIteration(record);
    return breakdown.empty() && norm > tolerance && !run.MustStop();
  }
  bool Broken(bool broken, const char* what, double value) {
    if (broken) breakdown = absl::StrCat("breakdown: ", what, " is ", value);
    return broken;
  }
};

void ConjugateGradientAttempt(System& s) {
  at::Tensor r = s.residual, z = s.Precondition(r), p = z.clone();
  double rz = Dot(r, z);
  if (s.Broken(!(rz > 0), "r'M^-1 r (the preconditioner must be positive definite)", rz)) return;
  for (bool going = true; going;) {
    const at::Tensor q = s.Multiply(p);
    const double curvature = Dot(p, q);
    if (s.Broken(!(curvature > 0), "p'Ap (A must be positive definite)", curvature)) return;
    const double alpha = rz / curvature;
    s.x.add_(p, alpha);
    r.add_(q, -alpha);
    going = s.GoOn(Norm(r), alpha);
    if (!going) return;
    z = s.Precondition(r);
    const double next = Dot(r, z);
    if (s.Broken(!(next > 0), "r'M^-1 r (the preconditioner must be positive definite)", next)) return;
    p.mul_(next / rz).add_(z);
    rz = next;
  }
}

void BiCgStabAttempt(System& s) {
  at::Tensor r = s.residual;
  const at::Tensor shadow = r.clone();
  at::Tensor p = r.clone(), v;
  double rho = Dot(shadow, r);
  const double shadow_norm = Norm(shadow);
  for (bool going = true; going;) {
    const at::Tensor p_hat = s.Precondition(p);
    v = s.Multiply(p_hat);
    const double projection = Dot(shadow, v);
    if (s.Broken(!(std::abs(projection) > 0), "r_0'A p", projection)) return;
    const double alpha = rho / projection;
    s.x.add_(p_hat, alpha);
    r.add_(v, -alpha);
    const double half_norm = Norm(r);
    if (half_norm <= s.tolerance) {
      s.GoOn(half_norm, alpha);
      return;
    }
    const at::Tensor r_hat = s.Precondition(r), t = s.Multiply(r_hat);
    const double tt = Dot(t, t);
    if (s.Broken(!(tt > 0), "|A r|", std::sqrt(tt))) return;
    const double omega = Dot(t, r) / tt;
    s.x.add_(r_hat, omega);
    r.add_(t, -omega);
    const double norm = Norm(r);
    going = s.GoOn(norm, alpha);
    if (!going) return;
    const double next = Dot(shadow, r);
    // r has turned orthogonal to the first residual, or no step was made: a fresh attempt takes another
    // shadow.
    if (std::abs(next) <= 1e-14 * shadow_norm * norm) return;
    if (s.Broken(!(std::abs(omega) > 0), "omega", omega)) return;
    p.add_(v, -omega).mul_(next / rho * (alpha / omega)).add_(r);
    rho = next;
  }
}

// One cycle of `restart` vectors: Arnoldi by modified Gram-Schmidt, twice where it cancels, and Givens
// rotations.
void GmresAttempt(System& s) {
  const int64_t size = s.residual.size(0), most = std::min(s.restart, size);
  const at::Tensor basis = at::empty({most + 1, size}, s.residual.options());
  std::vector<std::vector<double>> h;  // columns of the triangular factor
  std::vector<double> cosines, sines, rhs{Norm(s.residual)};
  basis[0].copy_(s.residual).mul_(1 / rhs[0]);
  int64_t count = 0;
  for (bool going = true; going && count < most;) {
    at::Tensor w = s.Multiply(s.Precondition(basis[count])).clone();
    const double before = Norm(w);
    std::vector<double> column(count + 2);
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t i = 0; i <= count; ++i) {
        const double overlap = Dot(basis[i], w);
        column[i] += overlap;
        w.add_(basis[i], -overlap);
      }
      if (Norm(w) > 0.5 * before) break;
    }
    const double next = Norm(w);
    column[count + 1] = next;
    for (int64_t i = 0; i < count; ++i) {
      const double above = column[i], below = column[i + 1];
      column[i] = cosines[i] * above + sines[i] * below;
      column[i + 1] = cosines[i] * below - sines[i] * above;
    }
    const double length = std::hypot(column[count], next);
    if (s.Broken(!(length > 1e-14 * before), "the last pivot (A is singular)", length)) break;
    cosines.push_back(column[count] / length);
    sines.push_back(next / length);
    column[count] = length;
    h.push_back(std::move(column));
    rhs.push_back(-sines[count] * rhs[count]);
    rhs[count] *= cosines[count];
    ++count;
    // The space cannot grow: the least residual over it is all there is.
    const bool complete = next <= 1e-14 * before;
    if (!complete && count < most) basis[count].copy_(w).mul_(1 / next);
    going = s.GoOn(std::abs(rhs[count]), IterationRecord::kNone) && !complete;
  }
  std::vector<double> y(count);
  at::Tensor update = at::zeros_like(s.residual);
  for (int64_t i = count - 1; i >= 0; --i) {
    double sum = rhs[i];
    for (int64_t j = i + 1; j < count; ++j) sum -= h[j][i] * y[j];
    y[i] = sum / h[i][i];
    update.add_(basis[i], y[i]);
  }
  if (count > 0) s.x.add_(s.Precondition(update));
}

absl::StatusOr<LinearSolution> Solve(void (*attempt)(System&), const LinearOperator& a, const at::Tensor& b,
                                     const LinearSolverOptions& options, const LinearOperator& preconditioner,
                                     const at::Tensor& x_0, SolverRun& run) {
  if (b.scalar_type() != at::kFloat && b.scalar_type() != at::kDouble) {
    return absl::InvalidArgumentError(
        absl::StrCat("b: dtype ", at::toString(b.scalar_type()), ", expected float32 or float64"));
  }
  PLUMB_RETURN_IF_ERROR(CheckShape("b", b, {kAny}));
  if (x_0.defined()) {
    PLUMB_RETURN_IF_ERROR(CheckShape("x_0", x_0, b.sizes()));
    PLUMB_RETURN_IF_ERROR(CheckDtype("x_0", x_0, b.scalar_type()));
  }
  System s{a, preconditioner, x_0.defined() ? x_0.clone() : at::zeros_like(b), {}, 0, options.restart(), run};
  s.tolerance = std::max(options.relative_tolerance() * Norm(b), options.absolute_tolerance());
  double best = std::numeric_limits<double>::infinity();
  at::Tensor best_x = s.x.clone();
  for (bool first = true;; first = false) {
    s.residual = b.clone();
    if (!first || x_0.defined()) {  // where x is zero, b is the residual
      const at::Tensor product = s.Multiply(s.x);
      PLUMB_RETURN_IF_ERROR(CheckShape("A x", product, b.sizes()));
      PLUMB_RETURN_IF_ERROR(CheckDtype("A x", product, b.scalar_type()));
      s.residual.sub_(product);
    }
    const double norm = Norm(s.residual);
    const bool progress = norm < best * (1 - 1e-10);
    if (norm < best) {
      best = norm;
      best_x.copy_(s.x);
    }
    Summary summary;
    const std::string size = absl::StrCat("|b - A x| = ", best, ", tolerance ", s.tolerance);
    if (best <= s.tolerance) {
      summary = run.End(Termination::kConverged, size);
    } else if (!s.breakdown.empty()) {
      summary = run.End(Termination::kNumericalFailure, absl::StrCat(s.breakdown, "; ", size));
    } else if (!std::isfinite(norm)) {
      summary = run.End(Termination::kNumericalFailure, absl::StrCat("NaN or infinity in b - A x; ", size));
    } else if (run.MustStop()) {
      summary = run.End();
      summary.reason += absl::StrCat("; ", size);
    } else if (!progress) {
      summary = run.End(Termination::kStalled, absl::StrCat("no further progress; ", size));
    } else {
      attempt(s);
      continue;
    }
    summary.optimality = best;
    return LinearSolution{best_x, std::move(summary)};
  }
}

StopOptions WithDefaultIterations(const LinearSolverOptions& options, int64_t size) {
  StopOptions stop = options.stop();
  if (!stop.has_max_iterations()) stop.set_max_iterations(10 * size);
  return stop;
}

std::string Thrown(const std::exception& exception) {
  const std::string what = exception.what();
  return absl::StrCat("operator threw: ", what.substr(0, what.find('\n')));
}

// What an operator throws becomes a solution that says so.
absl::StatusOr<LinearSolution> Guarded(void (*attempt)(System&), const LinearOperator& a, const at::Tensor& b,
                                       const LinearSolverOptions& options,
                                       const LinearOperator& preconditioner, const at::Tensor& x_0) {
  const at::NoGradGuard no_grad;
  SolverRun run(WithDefaultIterations(options, b.numel()));
  try {
    return Solve(attempt, a, b, options, preconditioner, x_0, run);
  } catch (const std::exception& exception) {
    return LinearSolution{x_0.defined() ? x_0.clone() : at::zeros_like(b),
                          run.End(Termination::kNumericalFailure, Thrown(exception))};
  }
}

}  // namespace

absl::StatusOr<LinearSolution> ConjugateGradient(const LinearOperator& a, const at::Tensor& b,
                                                 const LinearSolverOptions& options,
                                                 const LinearOperator& preconditioner,
                                                 const at::Tensor& x_0) {
  return Guarded(ConjugateGradientAttempt, a, b, options, preconditioner, x_0);
}

absl::StatusOr<LinearSolution> NormalConjugateGradient(
    const LinearOperator& a, const LinearOperator& a_transposed, const at::Tensor& b,
    const LinearSolverOptions& options, const LinearOperator& preconditioner, const at::Tensor& x_0) {
  const auto normal = [&](const at::Tensor& v) { return a_transposed(a(v)); };
  at::Tensor right_side;
  try {
    right_side = a_transposed(b);
  } catch (const std::exception& exception) {
    return absl::InternalError(Thrown(exception));
  }
  PLUMB_ASSIGN_OR_RETURN(LinearSolution solution,
                         Guarded(ConjugateGradientAttempt, normal, right_side, options, preconditioner, x_0));
  // Each application was a product with A and one with its transpose, and A'b one more.
  int64_t& products = solution.summary.calls.matrix_vectors;
  products = 2 * products + 1;
  return solution;
}

absl::StatusOr<LinearSolution> BiCgStab(const LinearOperator& a, const at::Tensor& b,
                                        const LinearSolverOptions& options,
                                        const LinearOperator& preconditioner, const at::Tensor& x_0) {
  return Guarded(BiCgStabAttempt, a, b, options, preconditioner, x_0);
}

absl::StatusOr<LinearSolution> Gmres(const LinearOperator& a, const at::Tensor& b,
                                     const LinearSolverOptions& options, const LinearOperator& preconditioner,
                                     const at::Tensor& x_0) {
  return Guarded(GmresAttempt, a, b, options, preconditioner, x_0);
}

}  // namespace plumb
