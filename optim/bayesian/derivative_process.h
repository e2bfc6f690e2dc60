#ifndef PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PROCESS_H_
#define PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PROCESS_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/point_model.h"

namespace plumb {

// A kernel of unit variance between x and x', its slopes g = -2 dk / d(r^2) and h = -2 dg / d(r^2), and r^2.
struct KernelTerms {
  double squared, k, g, h;
};
// Of RBF and MATERN_5_2. `difference` [D] becomes x - x' over squared lengthscales.
KernelTerms TermsOf(Kernel kernel, const std::vector<double>& lengthscales, const double* x,
                    const double* other, double* difference);

// A Gaussian process that observes derivatives beside values: they are jointly normal, with covariances that
// are the kernel's derivatives (Rasmussen and Williams 2006, eq. 9.1; for optimisation Wu, Poloczek, Wilson
// and Frazier 2017, "Bayesian Optimization with Gradients", arXiv 1703.04389, section 3.1). With D = x - x'
// over squared lengthscales, g = -2 dk / d(r^2) and h = -2 dg / d(r^2):
//
//   cov(f(x), d_b f(x')) = g D_b,  cov(d_a f(x), d_b f(x')) = g delta_ab / l_a^2 - h D_a D_b
//
// RBF and MATERN_5_2, whose processes have a derivative.
class DerivativeProcess : public PointModel {
 public:
  // points: [N, D]; values: [N]; gradients: [N, D], NaN where a derivative was not observed;
  // gradient_noise: [D], variances of what is added to each of them. Error: shapes, another kernel, values
  // that are not finite, a covariance that cannot be factored.
  static absl::StatusOr<DerivativeProcess> Create(Kernel kernel, GaussianProcessParameters parameters,
                                                  const at::Tensor& points, const at::Tensor& values,
                                                  const at::Tensor& gradients,
                                                  const std::vector<double>& gradient_noise);

  PointMoments At(const at::Tensor& points, bool with_gradients) const override;

  // After `points` [P, D] turned out as it expects.
  absl::StatusOr<DerivativeProcess> Believing(const at::Tensor& points) const;

  const GaussianProcessParameters& parameters() const { return parameters_; }
  double LogMarginalLikelihood() const { return log_marginal_likelihood_; }

 private:
  struct Observed {
    int64_t point;
    int64_t coordinate;  // of the derivative; -1: the value
  };
  // cov(f(x), observation) and, unless null, its derivatives in x [D].
  double Covariance(const double* x, const Observed& observed, double* gradient) const;
  // All with the process's variance.
  KernelTerms TermsBetween(const double* x, const double* other, double* difference) const;

  Kernel kernel_;
  GaussianProcessParameters parameters_;
  at::Tensor points_, values_, gradients_;  // [N, D], [N], [N, D]
  std::vector<double> gradient_noise_;
  std::vector<Observed> observed_;
  Cholesky factor_;
  at::Tensor weights_;  // [observed]
  at::Tensor inverse_;
  double log_marginal_likelihood_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PROCESS_H_
