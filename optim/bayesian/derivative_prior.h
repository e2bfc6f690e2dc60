#ifndef PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PRIOR_H_
#define PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PRIOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/gaussian_process_prior.h"

namespace plumb {

// A kernel of unit variance between x and x', its slopes g = -2 dk / d(r^2) and h = -2 dg / d(r^2), and r^2.
struct KernelTerms {
  double squared, k, g, h;
};
// Of RBF and MATERN_5_2. `difference` [D] becomes e = x - x' over squared lengthscales.
KernelTerms TermsOf(Kernel kernel, const std::vector<double>& lengthscales, const double* x,
                    const double* other, double* difference);

// The covariance, in units of the process's variance, of d_a f(x) and d_b f(x'), where -1 stands for f
// itself:
//
//   cov(f(x), d_b f(x')) = g e_b,  cov(d_a f(x), f(x')) = -g e_a,
//   cov(d_a f(x), d_b f(x')) = g delta_ab / l_a^2 - h e_a e_b
double DerivativeCovariance(const KernelTerms& terms, const double* difference,
                            const std::vector<double>& lengthscales, int64_t a, int64_t b);

// The prior of a process whose derivatives are observed beside its values: they are jointly normal, with
// covariances that are the kernel's derivatives (Rasmussen and Williams 2006, eq. 9.1; for optimisation Wu,
// Poloczek, Wilson and Frazier 2017, "Bayesian Optimization with Gradients", arXiv 1703.04389, section 3.1).
// The last coordinate of what is observed is 1 + d for the derivative in coordinate d, and 0 for f.
// RBF and MATERN_5_2, whose processes have a derivative.
class DerivativePrior : public StationaryPrior {
 public:
  using StationaryPrior::StationaryPrior;

  int64_t observed_width() const override { return dimension() + 1; }
  at::Tensor Means(const at::Tensor& points) const override;
  // Slopes are g and h, [2, B, M], where `others` has that coordinate.
  at::Tensor Covariances(const at::Tensor& points, const at::Tensor& others,
                         at::Tensor* slopes) const override;
  at::Tensor CovarianceGradient(const at::Tensor& points, const at::Tensor& others, const at::Tensor& slopes,
                                const at::Tensor& weights) const override;
};

// The process that has observed values [N] at points [N, D] and gradients [N, D], NaN where a derivative was
// not; gradient_noise: [D], variances of what is added to each of them. Error: shapes, another kernel,
// numbers that are not finite, parameters out of range.
absl::StatusOr<GaussianProcess> GaussianProcessWithDerivatives(
    Kernel kernel, GaussianProcessParameters parameters, const at::Tensor& points, const at::Tensor& values,
    const at::Tensor& gradients, const std::vector<double>& gradient_noise);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_DERIVATIVE_PRIOR_H_
