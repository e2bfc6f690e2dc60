// Ji et al. 2024: the reverse KL divergence to the optimal policy, by which modes are sought.

#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr double kNats = 1;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto exo, world.Train("exo { beta: 0.1 label_smoothing: 1e-3 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  const auto reward = [&](const std::vector<at::Tensor>& policies) {
    return world.Where(policies, &PolicyFigures::kl, kNats, &PolicyFigures::reward);
  };
  return Comparison{reward(exo), reward(dpo)};
}

const bool kRegistered = RegisterClaim(
    {"exo",
     "Ji et al. 2024, Towards Efficient Exact Optimization of Language Model Alignment (arXiv 2402.00856)",
     "EXO reaches more reward than DPO at the same KL divergence.", "EXO (beta 0.1, smoothing 0.001)",
     "DPO (beta 0.1)", "expected gold reward where the KL divergence from the reference first comes to 1 nat",
     /*lower_is_better=*/false, /*seeds=*/10,
     "labels are Bradley-Terry's, where EXO on pairs takes the chosen answer to be surely better; the "
     "paper's larger gains are with several answers to a prompt and a reward model. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
