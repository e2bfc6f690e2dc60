// Zhao et al. 2023: sequence likelihood calibration by a hinge loss.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "hinge { beta: 0.1 }", "sft {}");
}

const bool kRegistered = RegisterClaim(
    {"slic",
     "Zhao et al. 2023, SLiC-HF: Sequence Likelihood Calibration with Human Feedback (arXiv 2305.10425)",
     "The hinge loss on pairs exceeds fine-tuning on the preferred answers alone.",
     "hinge on log-ratios (beta 0.1)", "SFT on the chosen answers", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the margin is of log-ratios to the reference, as RSO and TRL have it, in the place of the paper's "
     "likelihoods beside a term that holds them near SFT. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
