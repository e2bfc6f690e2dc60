#ifndef PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_H_
#define PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/knowledge_gradient.h"

namespace plumb {

// What an evaluation costs at fidelity s, a coordinate of the features: fixed + weight s.
struct FidelityCost {
  int64_t coordinate = 0;
  double fixed = 1, weight = 1;
};

// The logarithm of an acquisition by cost: of single points, what is gained for a unit of cost (Frazier 2018,
// arXiv 1807.02811, section 5.5; Swersky, Snoek and Adams 2013, "Multi-Task Bayesian Optimization", eq. 10).
// `logarithm` is that of the acquisition.
class PerCost : public Acquisition {
 public:
  PerCost(std::unique_ptr<Acquisition> logarithm, const FidelityCost& cost)
      : logarithm_(std::move(logarithm)), cost_(cost) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::unique_ptr<Acquisition> logarithm_;
  FidelityCost cost_;
};

// Points [N, D] moved to the highest fidelity.
at::Tensor AtHighestFidelity(const at::Tensor& points, int64_t coordinate);

// The gradient [N, D] in x and s of what looks at (x, s) and (x, 1), from those in each, [N, 2, D]: the
// second moves with x, but not with s.
at::Tensor FidelityGradient(const at::Tensor& of_both, int64_t coordinate);

// The knowledge gradient at the highest fidelity, 1, from an observation at any: f is a process over points
// and fidelities together, and what counts is the least posterior mean over `candidates` [M, D] moved to
// fidelity 1 (Poloczek, Wang and Frazier 2017, "Multi-Information Source Optimization", arXiv 1603.00389,
// eq. 2; Wu, Toscano-Palmerin, Frazier and Wilson 2019, arXiv 1903.04703), by cost.
std::unique_ptr<Acquisition> MultiFidelityKnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                                            const at::Tensor& candidates,
                                                            const FidelityCost& cost);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_H_
