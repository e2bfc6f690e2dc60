#ifndef PLUMB_OPTIM_BAYESIAN_AUGMENTED_IMPROVEMENT_H_
#define PLUMB_OPTIM_BAYESIAN_AUGMENTED_IMPROVEMENT_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/multi_fidelity.h"

namespace plumb {

// The augmented expected improvement of several fidelities, as a logarithm: Huang, Allen, Notz and Miller
// 2006, "Sequential Kriging Optimization Using Multiple-Fidelity Evaluations", eq. 13 (the variable-fidelity
// improvement of Do and Zhang 2023, "Multi-fidelity Bayesian Optimization in Engineering Design", arXiv
// 2311.13050, section 4): for an evaluation of x at fidelity s,
//
//   E[max(best - f(x, 1), 0)]  corr(f(x, s), f(x, 1))  (1 - sqrt(noise / (var f(x, s) + noise)))
//
// with the posterior's moments (of a fidelity that mirrors f, whose correlation is negative, nothing is
// hoped); PerCost (multi_fidelity.h) divides it by the cost of s. Cheaper to evaluate than a knowledge
// gradient.
class AugmentedImprovement : public Acquisition {
 public:
  // best: the least that f(x, 1) is believed to be, see EffectiveBest; coordinate: of the fidelity.
  AugmentedImprovement(std::shared_ptr<const GaussianProcess> model, double best, int64_t coordinate)
      : model_(std::move(model)), best_(best), coordinate_(coordinate) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::shared_ptr<const GaussianProcess> model_;
  double best_;
  int64_t coordinate_;
};

// The least posterior mean over the observed points, moved to fidelity 1.
double EffectiveBest(const GaussianProcess& model, int64_t fidelity);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_AUGMENTED_IMPROVEMENT_H_
