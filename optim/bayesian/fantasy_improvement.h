#ifndef PLUMB_OPTIM_BAYESIAN_FANTASY_IMPROVEMENT_H_
#define PLUMB_OPTIM_BAYESIAN_FANTASY_IMPROVEMENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"

namespace plumb {

// The logarithm of the expected improvement at one more point, as the mean over samples of values of f that
// are not known: each sample makes the model another, and the best value too, but the expectation over f(x)
// is exact, not sampled. The samples are fixed, so that this is a smooth function of x.
class FantasyImprovement : public Acquisition {
 public:
  // Points that were asked for and are not told yet: their values are sampled from the posterior. Snoek,
  // Larochelle and Adams 2012, "Practical Bayesian Optimization of Machine Learning Algorithms" (arXiv
  // 1206.2944), section 3.2; Frazier 2018, section 5.2. What a batch gains by one more point when the points
  // are chosen one after another. best: the least value told; pending: [P, D]. Error: a covariance that
  // cannot be factored.
  static absl::StatusOr<FantasyImprovement> Pending(const GaussianProcess& model, double best,
                                                    const at::Tensor& pending, int64_t samples,
                                                    const RandomStream& stream);

  // Noisy expected improvement: f is sampled at all observed points too, and what is improved is the least of
  // these samples. Letham, Karrer, Ottoni and Bakshy 2019, "Constrained Bayesian Optimization with Noisy
  // Experiments" (arXiv 1706.07094), eq. 6.
  static absl::StatusOr<FantasyImprovement> Noisy(const GaussianProcess& model, const at::Tensor& pending,
                                                  int64_t samples, const RandomStream& stream);

  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  FantasyImprovement(GaussianProcess model, at::Tensor weights, std::vector<double> best)
      : model_(std::move(model)), weights_(std::move(weights)), best_(std::move(best)) {}

  GaussianProcess model_;     // its variance is that of every sample
  at::Tensor weights_;        // [N, S]
  std::vector<double> best_;  // [S]
};

// S samples [S, M] of the posterior at points [M, D].
absl::StatusOr<at::Tensor> SamplePosterior(const GaussianProcess& model, const at::Tensor& points,
                                           int64_t samples, const RandomStream& stream);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_FANTASY_IMPROVEMENT_H_
