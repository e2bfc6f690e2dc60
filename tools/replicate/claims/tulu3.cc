// Lambert et al. 2024: of the direct methods, length-normalised DPO was the best.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "normalized_dpo { beta: 5 }", "dpo { beta: 0.1 }");
}

const bool kRegistered = RegisterClaim(
    {"tulu3",
     "Lambert et al. 2024, Tulu 3: Pushing Frontiers in Open Language Model Post-Training (arXiv 2411.15124)",
     "Length-normalised DPO exceeds DPO.", "length-normalised DPO (beta 5)", "DPO (beta 0.1)",
     "expected gold reward after 200 steps", /*lower_is_better=*/false, /*seeds=*/10,
     "the gold reward adds up over at most 8 tokens, so that length is worth something and normalising it "
     "away costs; the paper normalises answers of hundreds. Betas are the paper's. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
