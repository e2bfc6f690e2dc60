// Mitchell 2023: labels that are taken to be flipped now and then.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  PreferenceWorldOptions options;
  options.flipped = 0.3;
  return CompareRewards(PreferenceWorld(seed, options), "dpo { beta: 0.1 label_smoothing: 0.3 }",
                        "dpo { beta: 0.1 }");
}

const bool kRegistered = RegisterClaim(
    {"cdpo", "Mitchell 2023, A note on DPO with noisy preferences and relationship to IPO",
     "With 30 % of the labels flipped, conservative DPO exceeds DPO.", "cDPO (beta 0.1, 30 %)",
     "DPO (beta 0.1)", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the share of flips is told to the method. The note proposes the loss and has no experiments. Believed: "
     "in 200 steps few margins come to where labels that are right in 70 % would hold them; bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
