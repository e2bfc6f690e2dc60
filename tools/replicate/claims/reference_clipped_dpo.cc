// arXiv 2602.11902: a reference that is wrong about a pair does not end its learning.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "reference_clipped_dpo { beta: 0.1 }",
                        "dpo { beta: 0.1 }");
}

const bool kRegistered =
    RegisterClaim({"reference_clipped_dpo", "Hybrid DPO with a clipped reference (arXiv 2602.11902)",
                   "DPO that passes over the reference where it prefers the rejected answer exceeds DPO.",
                   "hybrid DPO (beta 0.1)", "DPO (beta 0.1)", "expected gold reward after 200 steps",
                   /*lower_is_better=*/false, /*seeds=*/10,
                   "the claim and the loss are the abstract's. Believed: labels are drawn, so that some "
                   "contradict the reference by chance, and those are learnt the harder. Bigram policies.",
                   Run});

}  // namespace
}  // namespace plumb
