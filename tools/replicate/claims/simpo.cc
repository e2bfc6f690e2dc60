// Meng et al. 2024: a reference-free reward, normalised by length.

#include "tools/replicate/claim.h"
#include "tools/replicate/compare_rewards.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  return CompareRewards(PreferenceWorld(seed, {}), "simpo { beta: 2 gamma_beta_ratio: 0.5 }",
                        "dpo { beta: 0.1 }");
}

const bool kRegistered = RegisterClaim({"simpo", "Meng, Xia and Chen 2024, SimPO (arXiv 2405.14734)",
                                        "SimPO exceeds DPO.", "SimPO (beta 2, gamma / beta 0.5)",
                                        "DPO (beta 0.1)", "expected gold reward after 200 steps",
                                        /*lower_is_better=*/false, /*seeds=*/10,
                                        "the gold reward here adds up over tokens, so that length is worth "
                                        "something and normalising it away costs; judges of "
                                        "chats, whom the paper asks, reward it less. Bigram policies.",
                                        Run});

}  // namespace
}  // namespace plumb
