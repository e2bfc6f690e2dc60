// Chowdhury et al. 2024: a loss that is unbiased under flipped labels.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  PreferenceWorldOptions options;
  options.flipped = 0.3;
  return CompareRewards(PreferenceWorld(seed, options), "robust_dpo { beta: 0.1 label_smoothing: 0.3 }",
                        "dpo { beta: 0.1 }");
}

const bool kRegistered = RegisterClaim(
    {"robust_dpo", "Chowdhury, Kini and Natarajan 2024, Provably Robust DPO (arXiv 2403.00409)",
     "With 30 % of the labels flipped, robust DPO exceeds DPO.", "robust DPO (beta 0.1, 30 %)",
     "DPO (beta 0.1)", "expected gold reward after 200 steps", /*lower_is_better=*/false, /*seeds=*/10,
     "the share of flips is told to the method, as in the paper. The unbiased loss has the larger variance, "
     "which 512 pairs do not outweigh; "
     "bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
