#include "optim/bayesian/hyper_priors.h"

#include "common/tensor/random.h"

namespace plumb {
namespace {

constexpr double kOutputscaleShape = 2, kOutputscaleRate = 0.15;

}  // namespace

GaussianProcessParameters HyperParameters::At(const double* theta) const {
  GaussianProcessParameters parameters;
  for (int64_t d = 0; d < dimension_; ++d) parameters.lengthscales.push_back(std::exp(theta[d]));
  parameters.noise = fits_noise() ? std::exp(theta[noise_index()]) : options_.noise();
  if (fits_outputscale()) parameters.outputscale = std::exp(theta[count() - 1]);
  return parameters;
}

void HyperParameters::AddLogPriors(const double* theta, double* value, double* slope) const {
  for (int64_t d = 0; d < dimension_; ++d) {
    *value += LogNormalPrior(theta[d], LengthscaleLocation(dimension_), LengthscaleScale(), &slope[d]);
  }
  if (fits_noise()) {
    *value += LogNormalPrior(theta[noise_index()], kNoiseLocation, kNoiseScale, &slope[noise_index()]);
  }
  if (fits_outputscale()) {
    const int64_t last = count() - 1;
    *value += GammaPrior(theta[last], kOutputscaleShape, kOutputscaleRate, &slope[last]);
  }
}

std::vector<double> HyperParameters::LowerBounds() const {
  std::vector<double> lower(dimension_, std::log(options_.min_lengthscale()));
  if (fits_noise()) lower.push_back(std::log(options_.min_noise()));
  if (fits_outputscale()) lower.push_back(std::log(1e-4));
  return lower;
}

std::vector<double> HyperParameters::Mode() const {
  std::vector<double> theta(dimension_,
                            LengthscaleLocation(dimension_) - LengthscaleScale() * LengthscaleScale());
  if (fits_noise()) theta.push_back(kNoiseLocation - kNoiseScale * kNoiseScale);
  if (fits_outputscale()) theta.push_back(0);
  return theta;
}

std::vector<double> HyperParameters::Draw(uint64_t index) const {
  const RandomStream stream = RandomStream(0, "gaussian_process_starts").Child(index);
  std::vector<double> theta;
  for (int64_t d = 0; d < dimension_; ++d) {
    theta.push_back(LengthscaleLocation(dimension_) + LengthscaleScale() * stream.Normal(d));
  }
  if (fits_noise()) theta.push_back(kNoiseLocation + kNoiseScale * stream.Normal(dimension_));
  // The prior of the outputscale spreads over tens of the values' variance; its start does not matter much.
  if (fits_outputscale()) theta.push_back(stream.Normal(dimension_ + 1));
  return theta;
}

}  // namespace plumb
