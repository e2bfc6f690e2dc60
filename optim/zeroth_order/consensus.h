#ifndef PLUMB_OPTIM_ZEROTH_ORDER_CONSENSUS_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_CONSENSUS_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"

namespace plumb {

// Consensus-based optimization (Pinnau, Totzeck, Tse and Martin 2017, arXiv 1604.05648; anisotropic noise:
// Carrillo, Jin, Li and Zhu 2021, arXiv 1909.09249), as Riedl, Klock, Geldhauser and Fornasier 2023,
// "Gradient is All You Need?" (arXiv 2306.09778), write it: particles drift to a consensus point and are
// shaken the more, the further they are from it.

// The consensus point [d]: the mean of particles [N, d] with weights exp(-alpha f) (by the log-sum-exp trick,
// so that any alpha is fine). A particle whose value [N] is not finite was not evaluated and has no weight;
// an error when none was.
absl::StatusOr<at::Tensor> ConsensusPoint(const at::Tensor& particles, const at::Tensor& values,
                                          double alpha);

struct ConsensusOptions {
  double alpha = 30;
  double lambda = 1;       // drift
  double sigma = 5.1;      // noise; isotropic noise must have dimension * sigma^2 < 2 lambda to contract
  double dt = 0.01;        // the time step
  bool isotropic = false;  // |x - c| in every direction, instead of |x_j - c_j| in direction j
};

// One Euler-Maruyama step,
//   x_i - lambda dt (x_i - c) + sigma sqrt(dt) D(x_i - c) xi_i,
// D the diagonal of the differences, or their norm. f32 or f64 [N, d]; values [N] of the particles as they
// are.
absl::StatusOr<at::Tensor> ConsensusStep(const at::Tensor& particles, const at::Tensor& values,
                                         const ConsensusOptions& options, const RandomStream& random);

// The relation to gradient descent. With lambda = 1 / dt particles are drawn anew around the consensus point
// each step ("consensus hopping", the paper's equation for x^CH): the next point is the consensus of samples
// of N(x, width^2 I). By the Laplace principle it comes close, for large alpha, to the minimizing movement
// scheme argmin f(y) + |y - x|^2 / (2 tau), an implicit gradient step, with tau = alpha width^2. For
// quadratic f that is exact in the limit of many samples whatever alpha is, which the test checks. These are
// the samples.
at::Tensor HoppingSamples(const at::Tensor& x, int64_t samples, double width, const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_CONSENSUS_H_
