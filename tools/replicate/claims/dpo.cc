// Rafailov et al. 2023: preferred answers teach more by contrast than by imitation.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "dpo { beta: 0.1 }", "sft {}");
}

const bool kRegistered = RegisterClaim(
    {"dpo", "Rafailov et al. 2023, Direct Preference Optimization (arXiv 2305.18290)",
     "DPO exceeds fine-tuning on the preferred answers alone.", "DPO (beta 0.1)", "SFT on chosen answers",
     "expected gold reward after 200 steps", /*lower_is_better=*/false, /*seeds=*/10,
     "bigram policies and Bradley-Terry labels by a known reward: nothing on language models, human labels "
     "or PPO.",
     Run});

}  // namespace
}  // namespace plumb
