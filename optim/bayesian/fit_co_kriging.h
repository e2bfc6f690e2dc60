#ifndef PLUMB_OPTIM_BAYESIAN_FIT_CO_KRIGING_H_
#define PLUMB_OPTIM_BAYESIAN_FIT_CO_KRIGING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/co_kriging.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// What a fit of co-kriging maximises: the logarithm of the likelihood of all levels' values together, and of
// the priors, over theta = (for each level log lengthscales [D - 1] and log v; rho_1 .. rho_L; log noise
// unless it is given). Lengthscales and noise have the priors of fit_gaussian_process.h; those of the rest
// are ours: log v is N(0, 9) and rho N(1, 1). The levels' means are the most likely ones, (H' K^-1 H)^-1 H'
// K^-1 y with H that says which level a value is of, so that the gradient has no part of them; a level
// without values has the mean of the one below times rho.
class CoKrigingLogPosterior {
 public:
  // points: [N, D] of the unit cube, of whose coordinates `coordinate` is s; values: [N], of variance 1.
  CoKrigingLogPosterior(const at::Tensor& points, int64_t coordinate, int64_t level_count,
                        const at::Tensor& values, const GaussianProcessOptions& options);

  int64_t parameter_count() const { return level_count_ * (dimension_ + 2) - (fits_noise_ ? 0 : 1); }
  // NaN where the covariance is not positive definite, even with jitter; `gradient` [P] and `means` may be
  // null.
  double Evaluate(const double* theta, double* gradient, std::vector<double>* means) const;

  // At the priors' modes; where a level differs smoothly from the one below that may be another maximum than
  // the one that is found from long lengthscales of its delta.
  std::vector<double> Start(bool smooth_deltas) const;
  std::vector<double> LowerBounds() const;
  // Without their means.
  std::vector<CoKrigingLevel> Levels(const double* theta) const;
  double Noise(const double* theta) const;

 private:
  int64_t IndexOfRatio(int64_t level) const { return level_count_ * (dimension_ + 1) + level - 1; }
  int64_t IndexOfNoise() const { return level_count_ * (dimension_ + 2) - 1; }

  int64_t size_, coordinate_, level_count_;
  int64_t dimension_;  // without s
  GaussianProcessOptions options_;
  bool fits_noise_;
  std::vector<double> columns_;  // [D - 1, N]
  std::vector<int64_t> levels_;  // of the points
  std::vector<double> values_;
};

struct CoKrigingFit {
  GaussianProcess model;
  std::vector<CoKrigingLevel> levels;  // in the units of the values
  double log_posterior;
  Summary summary;
};

// points: [N, D] of the unit cube, D >= 2, of whose coordinates `coordinate` is s, 0 at the lowest of
// `level_count` levels and 1 at the highest; values: [N], which all levels have in one unit. Error: shapes,
// less than two levels, numbers that are not finite.
absl::StatusOr<CoKrigingFit> FitCoKriging(const at::Tensor& points, const at::Tensor& values,
                                          int64_t coordinate, int64_t level_count,
                                          const GaussianProcessOptions& options);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_FIT_CO_KRIGING_H_
