// Shi et al. 2024: a higher likelihood of the better answers is not a better model.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto likelier, world.Train("cpo { beta: 0.1 cpo_alpha: 1 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto contrast, world.Train("cpo { beta: 0.1 cpo_alpha: 0 }"));
  return Comparison{world.Measure(contrast.back()).reward, world.Measure(likelier.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"likelihood_over_optimisation",
     "Shi et al. 2024, Understanding Likelihood Over-optimisation in Direct Alignment Algorithms (arXiv "
     "2410.11677)",
     "A loss without a likelihood term, which leaves the preferred answers less likely, comes to more reward "
     "than the "
     "same loss with one.",
     "contrast alone (CPO, alpha 0)", "contrast and likelihood (CPO, alpha 1)",
     "expected gold reward after 200 steps", /*lower_is_better=*/false, /*seeds=*/10,
     "shows that the likelihood of preferred answers and the reward part, not the paper's indicators of when "
     "that begins "
     "to harm. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
