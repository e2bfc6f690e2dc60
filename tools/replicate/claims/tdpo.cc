// Zeng et al. 2024: control of the KL divergence token by token gives more reward for the same divergence.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto tdpo, world.Train("tdpo { beta: 0.1 version: TDPO2 alpha: 0.5 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  constexpr double kNats = 1;
  return Comparison{world.Where(tdpo, &PolicyFigures::kl, kNats, &PolicyFigures::reward),
                    world.Where(dpo, &PolicyFigures::kl, kNats, &PolicyFigures::reward)};
}

const bool kRegistered = RegisterClaim(
    {"tdpo", "Zeng et al. 2024, Token-level Direct Preference Optimization (arXiv 2404.11999)",
     "TDPO2 balances alignment with KL divergence better than DPO.", "TDPO2 (beta 0.1, alpha 0.5)",
     "DPO (beta 0.1)", "expected gold reward where the KL divergence from the reference first comes to 1 nat",
     /*lower_is_better=*/false,
     /*seeds=*/10,
     "bigram policies; the paper's claim is of sentiment, dialogue and diversity with GPT-2 and Pythia.",
     Run});

}  // namespace
}  // namespace plumb
