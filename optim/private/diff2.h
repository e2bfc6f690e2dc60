#ifndef PLUMB_OPTIM_PRIVATE_DIFF2_H_
#define PLUMB_OPTIM_PRIVATE_DIFF2_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "optim/private/sampled_gaussian.h"

namespace plumb {

// DIFF2: Murata and Suzuki 2023, "DIFF2: Differential Private Optimization via Gradient Differences for
// Nonconvex Distributed Learning" (arXiv 2302.03884). Each client keeps its examples and sends a noisy mean;
// the server's estimate of the gradient is
//   v_r = mean over clients of [mean clip(g_i(x_r), C1) + N(0, (z1 C1 / n)^2)]
// every `period` rounds, and in the others, with D = |x_r - x_{r-1}|,
//   v_r = v_{r-1} + mean over clients of [mean clip(g_i(x_r) - g_i(x_{r-1}), C2 D) + N(0, (z2 C2 D / n)^2)];
// x moves along -v. For losses whose gradients are C2-Lipschitz a difference is that small by itself, so
// that near a stationary point the noise dies away with the steps.
//
// Not verified: the paper's constants for its rates. Only gradient descent at the server is here. The second
// subroutine, local steps at the clients, builds on Murata and Suzuki 2021, "Bias-Variance Reduced Local SGD"
// (arXiv 2102.03198), by all appearance; how it clips the local differences and where it adds noise, on which
// its privacy rests, could not be confirmed from what was at hand, so that it is left out. The form of the
// steps is from the abstract and from secondary descriptions of the paper's Algorithm 1.
struct Diff2Options {
  int64_t period = 10;
  double clip = 1;                         // C1
  double clip_difference = 1;              // C2, per unit of distance
  double noise_multiplier = 1;             // z1
  double difference_noise_multiplier = 1;  // z2
};

// Per-example gradients of one client [n, d]: at the point of this round and, unless it restarts, at the one
// before.
struct ClientGradients {
  at::Tensor now;
  at::Tensor before;
};

class Diff2 {
 public:
  static absl::StatusOr<Diff2> Create(const Diff2Options& options, const RandomStream& random);

  // Whether the next round reads gradients at its own point alone.
  bool Restarts() const { return round_ % options_.period == 0; }

  // The estimate v [d] at x [d]. An error when a client has no examples or shapes do not fit.
  absl::StatusOr<at::Tensor> Estimate(const at::Tensor& x, absl::Span<const ClientGradients> clients);

  // What a client has spent, for an accountant: noise is that of one example that is there or not, n public.
  std::vector<SampledGaussian> Spent() const;

 private:
  Diff2(const Diff2Options& options, const RandomStream& random) : options_(options), random_(random) {}

  Diff2Options options_;
  RandomStream random_;
  int64_t round_ = 0;
  at::Tensor x_;         // of the round before
  at::Tensor estimate_;  // v
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_DIFF2_H_
