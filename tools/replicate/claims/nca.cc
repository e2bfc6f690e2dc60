// Chen et al. 2024: absolute likelihoods, by noise contrastive estimation.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto nca, world.Train("nca { beta: 0.1 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  const auto likelihood = [&](const at::Tensor& policy) {
    return world.Logps(policy, world.reference(), world.pairs()).policy_chosen_logps.mean().item<double>();
  };
  return Comparison{likelihood(nca.back()), likelihood(dpo.back())};
}

const bool kRegistered =
    RegisterClaim({"nca",
                   "Chen et al. 2024, Noise Contrastive Alignment of Language Models with Explicit Rewards "
                   "(arXiv 2402.05369)",
                   "NCA leaves the preferred answers likelier than DPO does.", "NCA (beta 0.1)",
                   "DPO (beta 0.1)", "mean log-probability of the chosen answers after 200 steps, nats",
                   /*lower_is_better=*/false, /*seeds=*/10,
                   "says nothing on the quality of answers, of which the paper claims a gain in mathematics "
                   "and code. Bigram policies.",
                   Run});

}  // namespace
}  // namespace plumb
