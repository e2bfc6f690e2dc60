#ifndef PLUMB_OPTIM_BAYESIAN_NORMAL_DISTRIBUTION_H_
#define PLUMB_OPTIM_BAYESIAN_NORMAL_DISTRIBUTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "common/tensor/random.h"

namespace plumb {

// The standard normal distribution, to nearly all digits for any u.

double NormalDensity(double u);                                      // phi
double LogNormalDensity(double u);                                   // log phi
double NormalCumulative(double u);                                   // Phi
double LogNormalCumulative(double u, double* derivative = nullptr);  // log Phi; derivative phi / Phi

// log h(u), h(u) = phi(u) + u Phi(u): the logarithm of the expected improvement in units of sigma (Ament,
// Daulton, Eriksson, Balandat and Bakshy 2023, "Unexpected Improvements to Expected Improvement for Bayesian
// Optimization", arXiv 2310.20708, eq. 9). Far below 0 the paper's form, log phi + log(1 - |u| Phi / phi),
// loses its digits to the difference. Here, for u < -5, Laplace's continued fraction of Mills' ratio,
// Phi / phi = 1 / (|u| + c), c = 1 / (|u| + 2 / (|u| + 3 / ...)), makes that difference c / (|u| + c); and
// the derivative, Phi / h, is 1 / c.
double LogExpectedPositivePart(double u, double* derivative = nullptr);

// Standard normal numbers, [count, dimension]: the inverse of Phi at a scrambled Sobol sequence, or where
// that has not so many dimensions, at random numbers.
at::Tensor NormalSamples(int64_t count, int64_t dimension, const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_NORMAL_DISTRIBUTION_H_
