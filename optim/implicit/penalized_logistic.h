#ifndef PLUMB_OPTIM_IMPLICIT_PENALIZED_LOGISTIC_H_
#define PLUMB_OPTIM_IMPLICIT_PENALIZED_LOGISTIC_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "optim/core/cholesky.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// Logistic regression as a function of its penalties, the usual problem of hyper-parameter optimisation
// (Blondel et al. 2022, section 4.1, has its multinomial form), in closed form:
//
//   w*(theta) = argmin over w of f = mean over i of log(1 + exp(-y_i x_i.w)) + sum_j exp(theta_j) w_j^2 / 2.
//
// Newton's method finds w*; f's Hessian there, H, is the d1F of the implicit function theorem
// (implicit_differentiation.h), so that J = -H^-1 diag(exp(theta) w*) takes one Cholesky factor. The numbers
// are those of ImplicitVjp with StationaryCondition(f), which takes any f. O(N D^2) an iteration; the same
// bits for any number of threads.
class PenalizedLogistic {
 public:
  // inputs [N, D] and labels [N] of +-1, f64; theta [D]; from `start` [D], or zero. Converged: no element of
  // f's gradient is larger than `tolerance`. Errors: shapes, labels, numbers that are not finite.
  static absl::StatusOr<PenalizedLogistic> Fit(const at::Tensor& inputs, const at::Tensor& labels,
                                               const at::Tensor& theta, double tolerance = 1e-8,
                                               const StopOptions& stop = {}, const at::Tensor& start = {});

  const at::Tensor& weights() const { return weights_; }  // w*, [D]
  // value: f; optimality: the largest element of its gradient.
  const Summary& summary() const { return summary_; }

  at::Tensor Vjp(const at::Tensor& cotangent) const;  // J' cotangent, [D] -> [D]
  at::Tensor Jvp(const at::Tensor& tangent) const;    // J tangent, [D] -> [D]

 private:
  at::Tensor weights_, penalties_;
  Cholesky hessian_;
  Summary summary_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_IMPLICIT_PENALIZED_LOGISTIC_H_
