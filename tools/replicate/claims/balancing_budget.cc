// Raghavendra et al. 2025: a small part of the budget for demonstrations spares preference tuning a cold
// start.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/data_budget.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kBudget = 600, kDemonstrations = 60, kSteps = 200;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "balancing budget");
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor both,
                         SpendBudget(world, {kDemonstrations, kBudget - kDemonstrations, kSteps}, random));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor alone, SpendBudget(world, {0, kBudget, kSteps}, random));
  return Comparison{world.Measure(both).reward, world.Measure(alone).reward};
}

const bool kRegistered = RegisterClaim(
    {"balancing_budget",
     "Raghavendra et al. 2025, Balancing the Budget: Trade-offs Between Supervised and Preference-Based "
     "Finetuning (arXiv 2502.11284)",
     "A tenth of the annotations for SFT and the rest for DPO exceed all of them for DPO on the base model.",
     "60 demonstrations, then 540 pairs", "600 pairs", "expected gold reward after 200 steps together",
     /*lower_is_better=*/false, /*seeds=*/10,
     "a demonstration costs as much as a pair and is the best of four answers of the base model. After SFT "
     "the pairs are the tuned model's own and the reference is that model, which alone goes further; the "
     "base model has no form of answer to learn first, where the paper finds the cold start in mathematics. "
     "Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
