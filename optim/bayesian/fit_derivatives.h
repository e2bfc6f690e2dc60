#ifndef PLUMB_OPTIM_BAYESIAN_FIT_DERIVATIVES_H_
#define PLUMB_OPTIM_BAYESIAN_FIT_DERIVATIVES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/derivative_prior.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/options.pb.h"

namespace plumb {

// LogPosterior (fit_gaussian_process.h) where derivatives are observed beside values: of their joint normal
// distribution (derivative_prior.h), with the same priors and parameters (log lengthscales [D], log noise,
// log outputscale, the last two where they are not given). The noise of derivative d has the variance ratio s
// / l_d^2, where s / l_d^2 is the process's own derivatives' (of RBF), and ratio is given or that of the
// values' noise to s.
class DerivativeLogPosterior {
 public:
  // points: [N, D] of the unit cube, values: [N] of mean 0 and variance 1, gradients: [N, D] of these, NaN
  // where none was observed.
  DerivativeLogPosterior(const at::Tensor& points, const at::Tensor& values, const at::Tensor& gradients,
                         const GaussianProcessOptions& options, std::optional<double> noise_ratio);

  int64_t parameter_count() const { return hyper_.count(); }

  // Divided by the number of observations. NaN where the covariance is not positive definite even with
  // jitter. `gradient` [P] and `mean` may be null.
  double Evaluate(const double* theta, double* gradient, double* mean) const;

  const HyperParameters& hyper_parameters() const { return hyper_; }
  GaussianProcessParameters Parameters(const double* theta) const { return hyper_.At(theta); }
  // Of derivatives, [D].
  std::vector<double> GradientNoise(const GaussianProcessParameters& parameters) const;

 private:
  struct Row {
    int64_t row;
    int64_t coordinate;  // of the derivative; -1: the value
  };
  // The kernel of unit variance between points i and j and its slopes (derivative_prior.h), m = -2 dh /
  // d(r^2), D = x_i - x_j over squared lengthscales, and its square times these.
  struct Pair {
    KernelTerms terms;
    double m;
    std::vector<double> difference, squared;
  };
  void SetPair(int64_t i, int64_t j, const GaussianProcessParameters& parameters, Pair* pair) const;

  int64_t dimension_, size_ = 0;  // size: of all observed
  GaussianProcessOptions options_;
  std::optional<double> noise_ratio_;
  HyperParameters hyper_;
  at::Tensor points_;
  std::vector<std::vector<Row>> rows_;   // of each point
  std::vector<double> observed_, ones_;  // [size]; ones: 1 for values, 0 for derivatives
};

// The process at the maximum of DerivativeLogPosterior, found as by FitGaussianProcess, in the units of
// points (of the unit cube), values and gradients. points: [N, D], N >= 1. Error: as
// GaussianProcessWithDerivatives(), or of the fit. An evaluation of the posterior takes O(n^3) for all n
// numbers observed, N (1 + D) where each derivative is.
absl::StatusOr<GaussianProcess> FitGaussianProcessWithDerivatives(const at::Tensor& points,
                                                                  const at::Tensor& values,
                                                                  const at::Tensor& gradients,
                                                                  const GaussianProcessOptions& options,
                                                                  std::optional<double> noise_ratio);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_FIT_DERIVATIVES_H_
