// arXiv 2602.11902: a reference that is wrong about a pair does not end its learning.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto method, world.Train("reference_clipped_dpo { beta: 0.1 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto baseline, world.Train("dpo { beta: 0.1 }"));
  return Comparison{world.Measure(method.back()).reward, world.Measure(baseline.back()).reward};
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
