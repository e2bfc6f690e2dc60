#ifndef PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_PRIOR_H_
#define PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_PRIOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/bayesian/covariance.h"

namespace plumb {

// In the units of points and values.
struct GaussianProcessParameters {
  std::vector<double> lengthscales;  // [D]
  double outputscale = 1;            // the process's variance
  double noise = 0;                  // variance of what is added to each observation
  double mean = 0;
};

// A Gaussian process before anything is observed: the mean and the covariance of f. Points are f64,
// contiguous, on the CPU; results do not depend on the number of threads.
class GaussianProcessPrior {
 public:
  virtual ~GaussianProcessPrior() = default;

  virtual int64_t dimension() const = 0;  // D
  // Columns of what is observed: D, or D + 1 where the last says what, 0 for f. Rows of `others`, and of
  // `points` in Means() and Covariances(), may be points or what is observed.
  virtual int64_t observed_width() const { return dimension(); }

  // At points [B, D], each by itself: [B]. The mean has no slope.
  virtual at::Tensor Means(const at::Tensor& points) const = 0;
  virtual at::Tensor Variances(const at::Tensor& points) const = 0;

  // Covariances of points [B, D] and others [M, D], [B, M]; and the gradient [B, D] with respect to `points`
  // of the sum of weights [B, M] times them, from their slopes, which end in [B, M].
  virtual at::Tensor Covariances(const at::Tensor& points, const at::Tensor& others,
                                 at::Tensor* slopes) const = 0;
  virtual at::Tensor CovarianceGradient(const at::Tensor& points, const at::Tensor& others,
                                        const at::Tensor& slopes, const at::Tensor& weights) const = 0;

  // Covariances within groups [B, Q, D], [B, Q, Q]; and the gradient [B, Q, D] of their sum with symmetric
  // weights [B, Q, Q], each entry counted where its first point moves, added to `gradient`.
  virtual at::Tensor GroupCovariances(const at::Tensor& points) const = 0;
  virtual void AddGroupGradient(const at::Tensor& points, const at::Tensor& weights,
                                at::Tensor& gradient) const = 0;
};

// A constant mean and a stationary kernel with a lengthscale for each coordinate; a coordinate of infinite
// lengthscale does not count.
class StationaryPrior : public GaussianProcessPrior {
 public:
  // The noise is not read.
  StationaryPrior(Kernel kernel, GaussianProcessParameters parameters)
      : kernel_(kernel), parameters_(std::move(parameters)) {}

  Kernel kernel() const { return kernel_; }
  const GaussianProcessParameters& parameters() const { return parameters_; }

  int64_t dimension() const override { return parameters_.lengthscales.size(); }
  at::Tensor Means(const at::Tensor& points) const override;
  at::Tensor Variances(const at::Tensor& points) const override;
  at::Tensor Covariances(const at::Tensor& points, const at::Tensor& others,
                         at::Tensor* slopes) const override;
  at::Tensor CovarianceGradient(const at::Tensor& points, const at::Tensor& others, const at::Tensor& slopes,
                                const at::Tensor& weights) const override;
  at::Tensor GroupCovariances(const at::Tensor& points) const override;
  void AddGroupGradient(const at::Tensor& points, const at::Tensor& weights,
                        at::Tensor& gradient) const override;

 private:
  // [D, M], divided by the lengthscales.
  at::Tensor Scaled(const at::Tensor& points) const;

  Kernel kernel_;
  GaussianProcessParameters parameters_;
};

// How many rows of so many columns of f64 are worth a second thread.
int64_t GrainOfRows(int64_t columns, int64_t dimension);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_GAUSSIAN_PROCESS_PRIOR_H_
