#ifndef PLUMB_OPTIM_BAYESIAN_KNOWLEDGE_GRADIENT_H_
#define PLUMB_OPTIM_BAYESIAN_KNOWLEDGE_GRADIENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "optim/bayesian/acquisition.h"

namespace plumb {

// E[max_i (a_i + b_i Z)] - max_i a_i for a standard normal Z, exactly: algorithm 1 of Frazier, Powell and
// Dayanik 2009, "The Knowledge-Gradient Policy for Correlated Normal Beliefs" (eq. 14), in O(M log M). As a
// logarithm; -infinity when no line ever overtakes the best. Derivatives of the logarithm, or nothing where
// the vectors are null.
double LogExpectedMaximumGain(const std::vector<double>& a, const std::vector<double>& b,
                              std::vector<double>* d_a, std::vector<double>* d_b);

// The logarithm of the knowledge gradient over a finite set: by how much the least posterior mean over
// `candidates` [M, D] and x is expected to fall when x is observed, with the noise of the model (Frazier
// 2018, eq. 9, with the discretisation of Scott, Frazier and Powell 2011, "The Correlated Knowledge Gradient
// for Simulation Optimization of Continuous Parameters", eq. 3.2; with the observed points as candidates it
// is the expected improvement with noise of Frazier 2018, section 5.1).
class KnowledgeGradient : public Acquisition {
 public:
  KnowledgeGradient(std::shared_ptr<const GaussianProcess> model, at::Tensor candidates);

  // Where what counts is not f(x) itself, but candidate m's sum over w of weights[w] f(candidates[m, w]): [M,
  // W, D] and [W]. f at another fidelity (multi_fidelity.h), or its mean over conditions (environment.h).
  KnowledgeGradient(std::shared_ptr<const GaussianProcess> model, at::Tensor candidates, at::Tensor weights);

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  KnowledgeGradient(std::shared_ptr<const GaussianProcess> model, const at::Tensor& candidates,
                    at::Tensor weights, bool counts_itself);
  at::Tensor Weighted(const at::Tensor& of_points) const;  // [.., M W] -> [.., M]

  std::shared_ptr<const GaussianProcess> model_;
  at::Tensor candidates_;      // [M W, D]
  at::Tensor weights_;         // [W]
  bool counts_itself_;         // x is a candidate too
  std::vector<double> means_;  // [M]
  at::Tensor projections_;     // [M, N]
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_KNOWLEDGE_GRADIENT_H_
