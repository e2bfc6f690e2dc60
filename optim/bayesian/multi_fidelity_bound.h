#ifndef PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_BOUND_H_
#define PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_BOUND_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/multi_fidelity.h"

namespace plumb {

// GP-UCB over fidelities, BOCA: Kandasamy, Dasarathy, Schneider and Poczos 2017, "Multi-fidelity Bayesian
// Optimisation with Continuous Approximations" (arXiv 1703.06240), section 3; one of those that Do and Zhang
// 2023 (arXiv 2311.13050) compare. x is where the bound is lowest at fidelity 1,
//
//   mean f(x, 1) - sqrt(beta) sigma f(x, 1),
//
// and s the cheapest fidelity whose value at x is not known well enough, and far enough from f's not to be
// its copy: of those with
//
//   sigma f(x, s) > sqrt(v(s)) xi(s) (cost(s) / cost(1))^q,  q = 1 / (D + 2),
//   xi(s) > max xi / sqrt(beta)
//
// where v(s) is the prior's variance of f(x, s) and xi(s) = sqrt(1 - corr(f(x, s), f(x, 1))^2) in the prior;
// 1 if there is none. The paper lets beta grow with the logarithm of the time; q is that of its squared
// exponential kernel, for D features with the fidelity. Its text was not at hand: both conditions are from
// memory of it. The authors' later program (dragonfly) has the exponent 1/2, no condition on xi, and a
// coefficient of the threshold that it adapts.
class MultiFidelityBound : public Acquisition {
 public:
  // fidelities: those to choose from, ascending.
  MultiFidelityBound(std::shared_ptr<const GaussianProcess> model, double beta, const FidelityCost& cost,
                     std::vector<double> fidelities);

  // The bound, whatever s is.
  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;
  at::Tensor Chosen(const at::Tensor& best) const override;

 private:
  std::shared_ptr<const GaussianProcess> model_;
  double beta_;
  FidelityCost cost_;
  std::vector<double> fidelities_;
  MomentAcquisition bound_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_BOUND_H_
