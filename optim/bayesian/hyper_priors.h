#ifndef PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_
#define PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_

#include <cmath>
#include <cstdint>
#include <vector>

#include "optim/bayesian/gaussian_process.h"
#include "optim/bayesian/options.pb.h"

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

// The logarithm of a normal prior's density, of the value itself, and its derivative.
inline double NormalPrior(double value, double location, double scale, double* derivative) {
  const double z = (value - location) / scale;
  *derivative = -z / scale;
  return -0.5 * (z * z + std::log(2 * M_PI)) - std::log(scale);
}

// Of lengthscales and noise as in fit_gaussian_process.h.
constexpr double kNoiseLocation = -4, kNoiseScale = 1;
inline double LengthscaleLocation(int64_t dimension) { return std::sqrt(2.0) + 0.5 * std::log(dimension); }
inline double LengthscaleScale() { return std::sqrt(3.0); }

// The hyper-parameters theta of fit_gaussian_process.h: log lengthscales [D], then log noise and log
// outputscale where the options do not give them.
class HyperParameters {
 public:
  HyperParameters(int64_t dimension, const GaussianProcessOptions& options)
      : dimension_(dimension), options_(options) {}

  bool fits_noise() const { return !options_.has_noise(); }
  bool fits_outputscale() const { return options_.fit_outputscale(); }
  int64_t count() const { return dimension_ + (fits_noise() ? 1 : 0) + (fits_outputscale() ? 1 : 0); }
  int64_t noise_index() const { return dimension_; }  // where fits_noise()

  GaussianProcessParameters At(const double* theta) const;
  // The sum of the logarithms of the priors' densities, added to `value` term by term, and their derivatives,
  // `slope` [count()].
  void AddLogPriors(const double* theta, double* value, double* slope) const;
  std::vector<double> LowerBounds() const;
  // The priors' modes, and a draw from the priors: where a search may start. [P]
  std::vector<double> Mode() const;
  std::vector<double> Draw(uint64_t index) const;

 private:
  int64_t dimension_;
  GaussianProcessOptions options_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_HYPER_PRIORS_H_
