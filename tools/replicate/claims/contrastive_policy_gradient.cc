// Flet-Berliac et al. 2024: rewards of answers that others wrote lead to the optimal policy.

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr double kBeta = 0.5;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  // Whose tokens are all equally likely.
  const at::Tensor author = at::zeros_like(world.reference());
  PreferencePairs pairs = world.SamplePairs(author, 512, RandomStream(seed, "off-policy"));
  pairs.score_chosen = pairs.chosen.rewards.unsqueeze(1);
  pairs.score_rejected = pairs.rejected.rewards.unsqueeze(1);
  PLUMB_ASSIGN_OR_RETURN(const auto copg, world.Train("contrastive_policy_gradient { beta: 0.5 }",
                                                      world.reference(), world.reference(), pairs, {}));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo,
                         world.Train("dpo { beta: 0.5 }", world.reference(), world.reference(), pairs, {}));
  const auto regularised = [&](const at::Tensor& policy) {
    const PolicyFigures figures = world.Measure(policy);
    return figures.reward - kBeta * figures.kl;
  };
  return Comparison{regularised(copg.back()), regularised(dpo.back())};
}

const bool kRegistered = RegisterClaim(
    {"contrastive_policy_gradient",
     "Flet-Berliac et al. 2024, Contrastive Policy Gradient (arXiv 2406.19185)",
     "On off-policy answers with rewards, CoPG comes to a better policy than DPO on preferences by those "
     "rewards.",
     "CoPG (beta 0.5)", "DPO (beta 0.5)",
     "expected gold reward less beta times the KL divergence after 200 steps", /*lower_is_better=*/false,
     /*seeds=*/10,
     "answers are those of a policy of equally likely tokens. CoPG reads rewards without noise, DPO their "
     "Bradley-Terry labels, and with "
     "endless data both have the same optimum; no comparison with on-policy gradients. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
