#ifndef PLUMB_OPTIM_BAYESIAN_BATCH_IMPROVEMENT_H_
#define PLUMB_OPTIM_BAYESIAN_BATCH_IMPROVEMENT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "optim/bayesian/acquisition.h"

namespace plumb {

// qLogEI: the logarithm of the expected improvement of q points together, E[max(best - min_j f(x_j), 0)],
// with f(x) = mean + L z for fixed normal numbers z and L L' the covariance of the group. Ament et al. 2023
// (arXiv 2310.20708), section 4.2 and appendix A.2; Wilson, Hutter and Deisenroth 2018 (arXiv 1805.10196) for
// the gradient through f. As in BoTorch 0.18, the two kinks are smooth and have fat tails,
//
//   max(t, 0)   tau_0 (log(1 + e^s) + 0.1 / (1 + s^2)), s = t / tau_0
//   max_j v_j   V + tau_max log sum_j 2 / (2 + 2 s_j + s_j^2), V the largest and s_j = (V - v_j) / tau_max
//
// the latter of logarithms of improvements. Gradients are in closed form; that of L is Murray 2016,
// "Differentiation of the Cholesky decomposition" (arXiv 1602.07527), eq. 10.
class BatchImprovement : public Acquisition {
 public:
  struct Options {
    double tau_relu = 1e-6;
    double tau_max = 1e-2;
  };

  // normals: [S, q + pending]. `pending` [P, D] are points of each group that do not move; may be undefined.
  BatchImprovement(std::shared_ptr<const GaussianProcess> model, double best, at::Tensor normals,
                   at::Tensor pending, const Options& options);
  BatchImprovement(std::shared_ptr<const GaussianProcess> model, double best, at::Tensor normals)
      : BatchImprovement(std::move(model), best, std::move(normals), {}, Options()) {}

  int64_t group_size() const override {
    return normals_.size(1) - (pending_.defined() ? pending_.size(0) : 0);
  }
  Evaluation Evaluate(const at::Tensor& groups, bool with_gradients) const override;

 private:
  std::shared_ptr<const GaussianProcess> model_;
  double best_;
  at::Tensor normals_, pending_;
  Options options_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_BATCH_IMPROVEMENT_H_
