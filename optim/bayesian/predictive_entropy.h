#ifndef PLUMB_OPTIM_BAYESIAN_PREDICTIVE_ENTROPY_H_
#define PLUMB_OPTIM_BAYESIAN_PREDICTIVE_ENTROPY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"

namespace plumb {

// Predictive entropy search: Hernandez-Lobato, Hoffman and Ghahramani 2014, "Predictive Entropy Search for
// Efficient Global Optimization of Black-box Functions" (arXiv 1406.2541), eq. 4: what an observation at x
// tells about where the minimum is,
//
//   log(v(x) + noise) / 2 - mean over k of log(v(x | x*_k) + noise) / 2
//
// with samples x*_k of the minimiser. v(x | x*) is the variance given that f(x*) is below the least value
// told (condition C2, by moments) and below f(x) (C3, whose moments are exact then; section 2.2, eq. 10 to
// 12). As in BoTorch's qPredictiveEntropySearch, not used is that the gradient vanishes at x* (C1).
class PredictiveEntropy : public Acquisition {
 public:
  // best: the least value told; infinity leaves C2 out. minimisers: [K, D].
  PredictiveEntropy(std::shared_ptr<const GaussianProcess> model, double best, at::Tensor minimisers);

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  struct Minimiser {
    double mean, variance;    // of f(x*)
    double above, shrinkage;  // given C2: mean + above, variance (1 - shrinkage)
  };
  std::shared_ptr<const GaussianProcess> model_;
  at::Tensor minimisers_;
  std::vector<Minimiser> moments_;
  at::Tensor projections_;  // [K, N]
};

// `count` samples of the minimiser over candidates [M, D] (Thompson's, exact there): [count, D]. Error: a
// covariance that cannot be factored.
absl::StatusOr<at::Tensor> SampleMinimisers(const GaussianProcess& model, const at::Tensor& candidates,
                                            int64_t count, const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_PREDICTIVE_ENTROPY_H_
