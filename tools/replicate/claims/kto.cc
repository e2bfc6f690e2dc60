// Ethayarajh et al. 2024: labels of single answers teach as much as pairs of them.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto kto, world.Train("kto { beta: 0.1 }", world.reference(),
                                                     world.reference(), Unpaired(world.pairs()), {}));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  return Comparison{world.Measure(kto.back()).reward, world.Measure(dpo.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"kto",
     "Ethayarajh et al. 2024, KTO: Model Alignment as Prospect Theoretic Optimization (arXiv 2402.01306)",
     "KTO on the answers of the pairs, one by one with a label each, exceeds DPO on the pairs.",
     "KTO (beta 0.1, weights 1)", "DPO (beta 0.1)", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the paper says that KTO matches or exceeds DPO, of which only the second can hold here. A label says "
     "less than a pair: what an answer is compared with is one number for all prompts, the exact KL "
     "divergence here, and preferences are Bradley-Terry's, where DPO's model of them is right. Bigram "
     "policies.",
     Run});

}  // namespace
}  // namespace plumb
