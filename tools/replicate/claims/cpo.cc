// Xu et al. 2024: a uniform reference and a likelihood term.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "cpo { beta: 0.1 cpo_alpha: 1 }", "dpo { beta: 0.1 }");
}

const bool kRegistered =
    RegisterClaim({"cpo", "Xu et al. 2024, Contrastive Preference Optimization (arXiv 2401.08417)",
                   "CPO, which has no reference model, exceeds DPO.", "CPO (beta 0.1, alpha 1)",
                   "DPO (beta 0.1)", "expected gold reward after 200 steps",
                   /*lower_is_better=*/false, /*seeds=*/10,
                   "pairs are the reference's own answers, where the paper's chosen translations are better "
                   "ones of other systems, which its likelihood term is to imitate. Bigram policies.",
                   Run});

}  // namespace
}  // namespace plumb
