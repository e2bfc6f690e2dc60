#ifndef PLUMB_OPTIM_BAYESIAN_FIT_MULTI_TASK_H_
#define PLUMB_OPTIM_BAYESIAN_FIT_MULTI_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// The intrinsic model of coregionalisation: cov(f_t(x), f_u(x')) = B[t, u] k(x, x'), B = W W' + diag(v)
// (Bonilla, Chai and Williams 2008, "Multi-task Gaussian Process Prediction", eq. 1; for optimisation
// Swersky, Snoek and Adams 2013, "Multi-Task Bayesian Optimization", section 3.1).
//
// What a fit maximises over theta = (log lengthscales [D], log noise unless it is given, W [T, R], log v
// [T]): the same as LogPosterior of fit_gaussian_process.h but with mean 0, and normal priors N(0, 1) of each
// element of W and N(-2, 1) of each log v.
class MultiTaskLogPosterior {
 public:
  // points: [N, D] of the unit cube, tasks: [N] of 0 .. T-1, values: [N], standardised within each task.
  MultiTaskLogPosterior(const at::Tensor& points, std::vector<int64_t> tasks, const at::Tensor& values,
                        int64_t task_count, int64_t rank, const GaussianProcessOptions& options);

  int64_t parameter_count() const { return dimension_ + (fits_noise_ ? 1 : 0) + task_count_ * (rank_ + 1); }
  // NaN where the covariance is not positive definite; `gradient` [P] may be null.
  double Evaluate(const double* theta, double* gradient) const;

  std::vector<double> Start() const;
  std::vector<double> LowerBounds() const;
  GaussianProcessParameters Parameters(const double* theta) const;
  at::Tensor TaskCovariance(const double* theta) const;  // [T, T]

 private:
  int64_t FirstOfTasks() const { return dimension_ + (fits_noise_ ? 1 : 0); }

  int64_t size_, dimension_, task_count_, rank_;
  GaussianProcessOptions options_;
  bool fits_noise_;
  at::Tensor columns_;  // [D, N]
  std::vector<int64_t> tasks_;
  std::vector<double> values_;
};

struct MultiTaskFit {
  GaussianProcess model;       // of the target task, in its units
  at::Tensor task_covariance;  // [T, T], of the standardised values
  double log_posterior;
  Summary summary;
};

// The model of task `target` that learns from all tasks. points: [N, D] of the unit cube; tasks: [N]; values:
// [N], each task in units of its own; rank: of W, 0 for T. Error: shapes, tasks out of range, no observation
// of the target, numbers that are not finite.
absl::StatusOr<MultiTaskFit> FitMultiTask(const at::Tensor& points, const std::vector<int64_t>& tasks,
                                          const at::Tensor& values, int64_t target, int64_t rank,
                                          const GaussianProcessOptions& options);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_FIT_MULTI_TASK_H_
