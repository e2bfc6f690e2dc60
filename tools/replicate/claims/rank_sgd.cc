// Tang, Rybin and Chang 2024: more of a ranking is more of a gradient.

#include "optim/zeroth_order/rank_sgd.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/linspace.h>

#include <cmath>
#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kDimension = 20, kRounds = 200;

// log10 of a quadratic of condition number 10 after kRounds queries of 15 points.
absl::StatusOr<double> Minimize(int64_t k, uint64_t seed) {
  const RandomStream random(seed, "rank sgd");
  const at::Tensor curvature = at::linspace(1, 10, kDimension, at::kDouble);
  const auto values = [&](const at::Tensor& points) { return (curvature * points * points).sum(-1) / 2; };
  RankSgdOptions options;
  options.k = k;
  options.mu = 0.01;
  options.step_size = 0.05;
  PLUMB_ASSIGN_OR_RETURN(RankSgd method, RankSgd::Create(random.NormalTensor({kDimension}, at::kDouble),
                                                         options, random.Child("method")));
  while (method.rounds() < kRounds) {
    const at::Tensor f = values(method.Ask()).contiguous();
    PLUMB_RETURN_IF_ERROR(method.Tell(
        RankingOf({f.const_data_ptr<double>(), static_cast<size_t>(f.numel())}, method.WantedRanks())));
  }
  return std::log10(values(method.current()).item<double>());
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Minimize(15, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Minimize(1, seed));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"rank_sgd",
     "Tang, Rybin and Chang 2024, Zeroth-Order Optimization Meets Human Feedback (arXiv 2303.03751)",
     "ZO-RankSGD descends further with whole rankings of 15 points than with the best one alone.", "k = 15",
     "k = 1", "log10 of a quadratic of 20 dimensions after 200 queries", /*lower_is_better=*/true,
     /*seeds=*/10, "one step size for both; no human and no diffusion model.", Run});

}  // namespace
}  // namespace plumb
