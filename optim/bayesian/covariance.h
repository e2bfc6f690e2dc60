#ifndef PLUMB_OPTIM_BAYESIAN_COVARIANCE_H_
#define PLUMB_OPTIM_BAYESIAN_COVARIANCE_H_

#include <cstdint>

#include "optim/bayesian/options.pb.h"

namespace plumb {

using Kernel = GaussianProcessOptions::Kernel;

// The loops of a Gaussian process over plain arrays. Many points are [D, stride], of which the first `size`
// count; all coordinates are divided by their lengthscales.

// squared[i] = sum over d of (x[d] - points[d, i])^2.
void SquaredDistances(const double* x, const double* points, int64_t stride, int64_t dimension, int64_t size,
                      double* squared);

// The kernel of unit variance at distances r = sqrt(squared) (Rasmussen and Williams 2006, eq. 4.9 and 4.17):
//   RBF         exp(-r^2 / 2)
//   MATERN_1_2  exp(-r)
//   MATERN_3_2  (1 + s) exp(-s), s = sqrt(3) r
//   MATERN_5_2  (1 + s + s^2 / 3) exp(-s), s = sqrt(5) r
// and, unless `slopes` is null, g = -2 dk / d(r^2), so that dk/dx_d = -g (x_d - x'_d) and dk / d(log l_d) =
// g (x_d - x'_d)^2. MATERN_1_2 has no derivative at r = 0; g is 0 there.
void KernelValues(Kernel kernel, int64_t size, const double* squared, double* values, double* slopes);

// sums[d] += sum over i of weights[i] (x[d] - points[d, i]).
void AddWeightedDifferences(const double* x, const double* points, int64_t stride, int64_t dimension,
                            int64_t size, const double* weights, double* sums);

// sums[d] += sum over i of weights[i] (x[d] - points[d, i])^2.
void AddWeightedSquares(const double* x, const double* points, int64_t stride, int64_t dimension,
                        int64_t size, const double* weights, double* sums);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_COVARIANCE_H_
