// Gu et al. 2025: learn from the true parts of preferred answers and the false parts of the others.

#include <ATen/TensorOperators.h>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

double RewardPerToken(const PolicyFigures& figures) { return figures.reward / figures.length; }

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PreferencePairs masked = world.pairs();
  // A token of negative reward is a hallucination.
  masked.chosen_token_mask = (masked.chosen.token_rewards >= 0).to(at::kDouble);
  masked.rejected_token_mask = (masked.rejected.token_rewards < 0).to(at::kDouble);
  PLUMB_ASSIGN_OR_RETURN(const auto mask_dpo, world.Train("mask_dpo { beta: 0.1 }", world.reference(),
                                                          world.reference(), masked, {}));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  return Comparison{RewardPerToken(world.Measure(mask_dpo.back())),
                    RewardPerToken(world.Measure(dpo.back()))};
}

const bool kRegistered = RegisterClaim(
    {"mask_dpo",
     "Gu et al. 2025, Mask-DPO: Generalizable Fine-grained Factuality Alignment of LLMs (arXiv 2503.02846)",
     "With marks that say which parts of the answers are right, Mask-DPO exceeds DPO on the same pairs.",
     "Mask-DPO (beta 0.1)", "DPO (beta 0.1)", "expected gold reward per token after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "each token is a sentence, right where its reward is not negative, and marked without an error; the "
     "marks are "
     "labels that DPO does not have. Bigram policies, and no test on other topics.",
     Run});

}  // namespace
}  // namespace plumb
