// Riedl et al. 2023: consensus-based optimization leaves local minima that gradient descent stays in.

#include "optim/zeroth_order/consensus.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/sin.h>

#include <cmath>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kDimension = 4, kParticles = 200, kSteps = 400;

// Rastrigin's function, least at 0.
at::Tensor Rastrigin(const at::Tensor& x) { return (x * x - 10 * at::cos(2 * M_PI * x) + 10).sum(-1); }

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const RandomStream random(seed, "consensus");
  at::Tensor particles = random.UniformTensor({kParticles, kDimension}, at::kDouble) * 6 - 1;
  at::Tensor x = particles.select(0, 0).clone();
  const ConsensusOptions options;
  for (int64_t step = 0; step < kSteps; ++step) {
    PLUMB_ASSIGN_OR_RETURN(particles,
                           ConsensusStep(particles, Rastrigin(particles), options,
                                         random.Child("noise").Child(static_cast<uint64_t>(step))));
  }
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor consensus,
                         ConsensusPoint(particles, Rastrigin(particles), options.alpha));
  for (int64_t step = 0; step < kSteps * kParticles / 10; ++step) {
    x = x - 1e-3 * (2 * x + 20 * M_PI * at::sin(2 * M_PI * x));
  }
  return Comparison{Rastrigin(consensus).item<double>(), Rastrigin(x).item<double>()};
}

const bool kRegistered = RegisterClaim(
    {"consensus", "Riedl, Klock, Geldhauser and Fornasier 2023, Gradient is All You Need? (arXiv 2306.09778)",
     "Consensus-based optimization comes lower than gradient descent on a function of many minima.",
     "CBO (200 particles, 400 steps)", "gradient descent (8,000 steps of 0.001)",
     "Rastrigin's function of 4 dimensions, whose least value is 0", /*lower_is_better=*/true, /*seeds=*/10,
     "CBO asks for 80,000 values, gradient descent for 8,000 gradients, by when it stands still; no deep "
     "network.",
     Run});

}  // namespace
}  // namespace plumb
