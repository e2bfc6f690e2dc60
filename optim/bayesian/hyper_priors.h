#ifndef PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_
#define PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_

#include <cmath>
#include <cstdint>

namespace plumb {

// The logarithms of the priors' densities at exp(log_value), and their derivatives with respect to log_value.

inline double LogNormalPrior(double log_value, double location, double scale, double* derivative) {
  const double z = (log_value - location) / scale;
  *derivative = -1 - z / scale;
  return -log_value - std::log(scale) - 0.5 * std::log(2 * M_PI) - 0.5 * z * z;
}

inline double GammaPrior(double log_value, double shape, double rate, double* derivative) {
  *derivative = shape - 1 - rate * std::exp(log_value);
  return shape * std::log(rate) - std::lgamma(shape) + (shape - 1) * log_value - rate * std::exp(log_value);
}

// Of lengthscales and noise as in fit_gaussian_process.h.
constexpr double kNoiseLocation = -4, kNoiseScale = 1;
inline double LengthscaleLocation(int64_t dimension) { return std::sqrt(2.0) + 0.5 * std::log(dimension); }
inline double LengthscaleScale() { return std::sqrt(3.0); }

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_
