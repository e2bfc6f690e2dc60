#ifndef PLUMB_OPTIM_BAYESIAN_CO_KRIGING_H_
#define PLUMB_OPTIM_BAYESIAN_CO_KRIGING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "optim/bayesian/gaussian_process_prior.h"

namespace plumb {

struct CoKrigingLevel {
  std::vector<double> lengthscales;  // of delta_l, [D]; that of the fidelity's coordinate is not read
  double variance = 1;               // of delta_l
  double ratio = 1;                  // rho_l; the lowest level has none
  double mean = 0;                   // of f_l
};

// Co-kriging: the autoregressive model of levels of fidelity 0 .. L (Kennedy and O'Hagan 2000, "Predicting
// the Output from a Complex Computer Code When Fast Approximations Are Available"; among the models of Do and
// Zhang 2023, "Multi-fidelity Bayesian Optimization in Engineering Design", arXiv 2311.13050),
//
//   f_l(x) = rho_l f_{l-1}(x) + delta_l(x),   f_0 = delta_0,
//
// where the delta_l are independent processes with kernels v_l k_l of their own, so that
//
//   cov(f_l(x), f_m(x')) = sum over j <= min(l, m) of c_lj c_mj v_j k_j(x, x'),   c_lj = rho_{j+1} ... rho_l.
//
// A process over x and s = l / L together, a coordinate; between levels f is that of the nearest, and it has
// no slope in s.
class CoKrigingPrior : public GaussianProcessPrior {
 public:
  // levels: two or more; coordinate: of s.
  CoKrigingPrior(Kernel kernel, const std::vector<CoKrigingLevel>& levels, int64_t coordinate);

  int64_t dimension() const override { return deltas_[0].dimension(); }
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
  // c_lj of each point's level l, of points [..., D]: [...].
  at::Tensor Coefficients(const at::Tensor& points, int64_t j) const;

  std::vector<StationaryPrior> deltas_;
  std::vector<double> means_, variances_;
  std::vector<double> coefficients_;  // c, [L + 1, L + 1]
  int64_t coordinate_;
};

// c_lj, [L + 1, L + 1], 0 where j > l.
std::vector<double> CoKrigingCoefficients(const std::vector<CoKrigingLevel>& levels);

// The level that is nearest to s, of `count`.
int64_t LevelOf(double s, int64_t count);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_CO_KRIGING_H_
