#ifndef PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_ENTROPY_H_
#define PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_ENTROPY_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>
#include <vector>

#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/multi_fidelity.h"

namespace plumb {

// What a normal number u tells about another, v, correlated with it by `correlation`, of which v > -gamma is
// known: the entropy of u less what it is on average then, and its derivatives. With c^2 = 1 - correlation^2
// and w = Phi((gamma + correlation u) / c) / Phi(gamma), the density's ratio,
//
//   correlation^2 gamma phi(gamma) / (2 Phi(gamma)) + E[w log w]
//
// correlation: within [0, 1); taken for at most 1 - 1e-6.
struct InformationValue {
  double value, d_gamma, d_correlation;
};
InformationValue TruncatedInformation(double gamma, double correlation);

// Max-value entropy search over several fidelities, as a logarithm for PerCost: Takeno et al. 2020,
// "Multi-fidelity Bayesian Optimization with Max-value Entropy Search and its Parallelization" (arXiv
// 1901.08275), here for the least value; one of those that Do and Zhang 2023 (arXiv 2311.13050) compare. What
// an observation at (x, s), with its noise, tells of the least value f* at the highest fidelity, as the mean
// over samples of f*: TruncatedInformation() at gamma = (mean f(x, 1) - f*) / sigma f(x, 1) and the
// posterior's correlation. At fidelity 1 without noise that is MaxValueEntropy(). The expectation is
// integrated, where the paper has a closed form for no noise and an integral else.
class MultiFidelityEntropy : public Acquisition {
 public:
  // minima: samples of f*, of points at fidelity 1 (SampleMinima()); coordinate: of the fidelity.
  MultiFidelityEntropy(std::shared_ptr<const GaussianProcess> model, std::vector<double> minima,
                       int64_t coordinate)
      : model_(std::move(model)), minima_(std::move(minima)), coordinate_(coordinate) {}

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::shared_ptr<const GaussianProcess> model_;
  std::vector<double> minima_;
  int64_t coordinate_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MULTI_FIDELITY_ENTROPY_H_
