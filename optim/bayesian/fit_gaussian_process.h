#ifndef PLUMB_OPTIM_BAYESIAN_FIT_GAUSSIAN_PROCESS_H_
#define PLUMB_OPTIM_BAYESIAN_FIT_GAUSSIAN_PROCESS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/objective.h"
#include "optim/core/summary.h"

namespace plumb {

// What a fit maximises over the hyper-parameters theta = (log lengthscales [D], log noise, log outputscale),
// the last two where they are not given:
//
//   (log N(y; m 1, K(theta)) + log p(lengthscales) + log p(noise) + log p(outputscale)) / N
//
// with the priors LogNormal(sqrt(2) + log(D) / 2, sqrt(3)) of each lengthscale (Hvarfner, Hellsten and Nardi
// 2024, "Vanilla Bayesian Optimization Performs Great in High Dimensions", arXiv 2402.02229, section 4),
// LogNormal(-4, 1) of the noise and Gamma(2, 0.15) of the outputscale, densities of the parameters
// themselves, not of their logarithms, as in BoTorch 0.18. The mean m is at its optimum for each theta, 1'
// K^-1 y / 1' K^-1 1, so that the gradient (Rasmussen and Williams 2006, eq. 5.9) has no part of it.
class LogPosterior {
 public:
  // points: [N, D] of the unit cube, values: [N] of mean 0 and variance 1; all finite.
  LogPosterior(const at::Tensor& points, const at::Tensor& values, const GaussianProcessOptions& options);

  int64_t parameter_count() const { return hyper_.count(); }

  // NaN where K is not positive definite even with jitter. `gradient` [P] and `mean` may be null.
  double Evaluate(const double* theta, double* gradient, double* mean) const;

  const HyperParameters& hyper_parameters() const { return hyper_; }

  // Of the standardised problem.
  GaussianProcessParameters Parameters(const double* theta) const { return hyper_.At(theta); }

 private:
  int64_t size_, dimension_;
  GaussianProcessOptions options_;
  HyperParameters hyper_;
  at::Tensor columns_;  // [D, N]
  std::vector<double> values_;
};

struct GaussianProcessFit {
  GaussianProcess model;                   // in the units of points and values
  GaussianProcessParameters standardized;  // as fitted: in units of the box and of the values' variance
  double log_posterior;                    // what LogPosterior has at the maximum
  Summary summary;
};

// The model at the maximum of LogPosterior, found by L-BFGS-B from the priors' modes (and from draws from the
// priors: options.starts(), or should the first fail). points: [N, D], N >= 1; values: [N]; lower, upper:
// [D], the box that counts as the unit cube; undefined: it is the unit cube. Error: shapes, numbers that are
// not finite, or a covariance that cannot be factored.
absl::StatusOr<GaussianProcessFit> FitGaussianProcess(const at::Tensor& points, const at::Tensor& values,
                                                      const GaussianProcessOptions& options,
                                                      const at::Tensor& lower = {},
                                                      const at::Tensor& upper = {});

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_FIT_GAUSSIAN_PROCESS_H_
