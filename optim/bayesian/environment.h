#ifndef PLUMB_OPTIM_BAYESIAN_ENVIRONMENT_H_
#define PLUMB_OPTIM_BAYESIAN_ENVIRONMENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/bayesian/acquisition.h"

namespace plumb {

// Conditions that nobody can choose when it matters, but that an experiment can: coordinates of the features
// that take the rows of `conditions` [W, C] with probabilities [W].
struct Environment {
  std::vector<int64_t> coordinates;  // [C]
  at::Tensor conditions;
  at::Tensor probabilities;

  // points [M, D] under each condition, [M, W, D].
  at::Tensor Under(const at::Tensor& points) const;
};

// Bayesian quadrature optimisation: where to observe f(x, w) when what is minimised is its mean over w. The
// knowledge gradient of the mean over `candidates` [M, D], whose environmental coordinates do not matter
// (Frazier 2018, arXiv 1807.02811, section 5.6; Toscano-Palmerin and Frazier 2018, "Bayesian Optimization
// with Expensive Integrands", arXiv 1803.08661, eq. 9).
std::unique_ptr<Acquisition> EnvironmentalKnowledgeGradient(std::shared_ptr<const GaussianProcess> model,
                                                            const at::Tensor& candidates,
                                                            const Environment& environment);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_ENVIRONMENT_H_
