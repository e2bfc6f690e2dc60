// Hong et al. 2024: fine-tuning with a penalty on the odds of rejected answers, in one stage.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kSteps = 200;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto orpo, world.Train("orpo { beta: 0.1 }", {kSteps}));
  PLUMB_ASSIGN_OR_RETURN(const auto sft, world.Train("sft {}", {kSteps / 2}));
  PLUMB_ASSIGN_OR_RETURN(
      const auto dpo, world.Train("dpo { beta: 0.1 }", sft.back(), sft.back(), world.pairs(), {kSteps / 2}));
  return Comparison{world.Measure(orpo.back()).reward, world.Measure(dpo.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"orpo",
     "Hong et al. 2024, ORPO: Monolithic Preference Optimization without Reference Model (arXiv 2403.07691)",
     "ORPO in one stage exceeds SFT on the chosen answers and then DPO on the pairs, of as many steps "
     "together.",
     "ORPO (lambda 0.1)", "SFT, then DPO (beta 0.1)", "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the likelihood of the chosen answers is part of the loss to the end and holds ORPO near imitation; the "
     "chosen answers are the reference's own, so that there is little to imitate. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
