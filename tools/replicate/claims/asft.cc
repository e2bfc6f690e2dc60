// Wang et al. 2024: an absolute likelihood does not let the preferred answers' likelihood fall.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto asft, world.Train("asft { beta: 0.1 }"));
  PLUMB_ASSIGN_OR_RETURN(const auto dpo, world.Train("dpo { beta: 0.1 }"));
  const auto likelihood = [&](const at::Tensor& policy) {
    return world.Logps(policy, world.reference(), world.pairs()).policy_chosen_logps.mean().item<double>();
  };
  return Comparison{likelihood(asft.back()), likelihood(dpo.back())};
}

const bool kRegistered = RegisterClaim(
    {"asft",
     "Wang et al. 2024, ASFT: Aligned Supervised Fine-Tuning through Absolute Likelihood (arXiv 2409.10571)",
     "ASFT leaves the preferred answers likelier than DPO does.", "ASFT (beta 0.1)", "DPO (beta 0.1)",
     "mean log-probability of the chosen answers after 200 steps, nats", /*lower_is_better=*/false,
     /*seeds=*/10,
     "says nothing on the quality of answers, of which the paper claims a gain too; bigram policies.", Run});

}  // namespace
}  // namespace plumb
