#ifndef PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_H_
#define PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "optim/bayesian/covariance.h"
#include "optim/bayesian/gaussian_process_prior.h"
#include "optim/core/cholesky.h"

namespace plumb {

// The posterior of f, without noise, at B groups of Q points, jointly within a group; and, where gradients
// were asked for, what they are made from.
struct GroupPosterior {
  at::Tensor means;        // [B, Q]
  at::Tensor covariances;  // [B, Q, Q]
  at::Tensor points;       // [B, Q, D]
  at::Tensor covariance;   // [B Q, N], prior, with the observed points
  at::Tensor slopes;       // ends in [B Q, N], see GaussianProcessPrior
  at::Tensor projections;  // [B Q, N], K^-1 k(x)
};

// Exact regression: y = f(x) + noise, f a Gaussian process, of Create() with a constant mean and a stationary
// kernel with a lengthscale for each coordinate (Frazier 2018, "A Tutorial on Bayesian Optimization", arXiv
// 1807.02811, section 3; Rasmussen and Williams 2006, algorithm 2.1). f64, on the CPU.
class GaussianProcess {
 public:
  // points: [N, D], values: [N]. A covariance that is not positive definite (points that come twice without
  // noise) gets jitter on its diagonal, 1e-8 of it and more while that does not suffice. Error: shapes,
  // numbers that are not finite, parameters out of range.
  static absl::StatusOr<GaussianProcess> Create(Kernel kernel, GaussianProcessParameters parameters,
                                                const at::Tensor& points, const at::Tensor& values);

  // The process of one of several tasks, cov(f_t(x), f_u(x')) = B[t, u] k(x, x'), that knows observations of
  // all. tasks: [N]; task_covariance: B [T, T], of which only ratios to B[target, target] count, since
  // parameters.outputscale is the target's. What is appended belongs to the target.
  static absl::StatusOr<GaussianProcess> CreateOfTasks(Kernel kernel, GaussianProcessParameters parameters,
                                                       const at::Tensor& points, const at::Tensor& values,
                                                       const std::vector<int64_t>& tasks,
                                                       const at::Tensor& task_covariance, int64_t target);

  // The process of another prior, of which `parameters` says what is asked for by parameters(): the noise,
  // and as outputscale the scale against which numbers are small. noises: [N], of each observation;
  // undefined: that of the parameters. Error: as Create().
  static absl::StatusOr<GaussianProcess> CreateOfPrior(Kernel kernel,
                                                       std::shared_ptr<const GaussianProcessPrior> prior,
                                                       GaussianProcessParameters parameters,
                                                       const at::Tensor& points, const at::Tensor& values,
                                                       const at::Tensor& noises = {});

  // The process that has observed these values of f, with another noise, in place of those that this one has;
  // they are its first observations, and what is observed beside f its others.
  absl::StatusOr<GaussianProcess> WithValues(const at::Tensor& points, const at::Tensor& values,
                                             double noise) const;

  // M more values of f in O(M N^2), with the noise of the others or another. What fails changes nothing.
  absl::Status Append(const at::Tensor& points, const at::Tensor& values);
  absl::Status Append(const at::Tensor& points, const at::Tensor& values, double noise);

  int64_t size() const { return points_.size(0); }  // N, all that is observed
  int64_t dimension() const { return prior_->dimension(); }
  Kernel kernel() const { return kernel_; }
  const GaussianProcessParameters& parameters() const { return parameters_; }
  const at::Tensor& points() const { return points_; }  // [N, D], or D + 1: what the prior calls observed
  // Points of the observations that are values, of other tasks too. [V, D]
  at::Tensor ValuePoints() const;
  const at::Tensor& values() const { return values_; }    // [N]
  const at::Tensor& weights() const { return weights_; }  // [N], K^-1 (y - mean)
  double jitter() const { return factor_.jitter(); }
  const GaussianProcessPrior& prior() const { return *prior_; }

  // log p(values), with the noise.
  double LogMarginalLikelihood() const;

  // points: [B, Q, D].
  GroupPosterior Posterior(const at::Tensor& points, bool with_gradients) const;

  // The gradient [B, Q, D] of what depends on a posterior with gradients: d_means [B, Q] and d_covariances
  // [B, Q, Q] are its derivatives.
  at::Tensor Gradient(const GroupPosterior& posterior, const at::Tensor& d_means,
                      const at::Tensor& d_covariances) const;

  // What the above are made of: as GaussianProcessPrior's.
  at::Tensor Covariances(const at::Tensor& points, const at::Tensor& others, at::Tensor* slopes) const {
    return prior_->Covariances(points, others, slopes);
  }
  at::Tensor CovarianceGradient(const at::Tensor& points, const at::Tensor& others, const at::Tensor& slopes,
                                const at::Tensor& weights) const {
    return prior_->CovarianceGradient(points, others, slopes, weights);
  }
  // L^-1, where L is the factor of the observations' covariance. [N, N]
  const at::Tensor& inverse_factor() const { return inverse_factor_; }
  // K^-1 (values - mean) for columns of other values at the same points. [N, S] -> [N, S]
  at::Tensor WeightsOf(const at::Tensor& values) const;

 private:
  GaussianProcess(Kernel kernel, std::shared_ptr<const GaussianProcessPrior> prior,
                  GaussianProcessParameters parameters)
      : kernel_(kernel), prior_(std::move(prior)), parameters_(std::move(parameters)) {}
  // noises: as CreateOfPrior()'s. pair_ratios [N, N] and ratios [N]: what covariances among the observed
  // points, and with them, are multiplied by; undefined for 1.
  static absl::StatusOr<GaussianProcess> Make(Kernel kernel,
                                              std::shared_ptr<const GaussianProcessPrior> prior,
                                              GaussianProcessParameters parameters, const at::Tensor& points,
                                              const at::Tensor& values, const at::Tensor& noises,
                                              const at::Tensor& pair_ratios, const at::Tensor& ratios);
  at::Tensor OfValues() const;  // which observations are of f, or of another task's, [N]
  // f at points [M, D], as a row of points().
  at::Tensor ObservedAt(const at::Tensor& points) const;

  Kernel kernel_;
  std::shared_ptr<const GaussianProcessPrior> prior_;
  GaussianProcessParameters parameters_;
  at::Tensor points_, values_, noises_, weights_;
  at::Tensor ratios_;  // [N]; undefined where all observations are of one task
  Cholesky factor_;
  at::Tensor inverse_factor_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_H_
