// Wang et al. 2023: another divergence than the reverse KL keeps more diversity.

#include <algorithm>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto shannon, world.Train("f_dpo { beta: 0.1 divergence: JENSEN_SHANNON }"));
  PLUMB_ASSIGN_OR_RETURN(const auto reverse, world.Train("f_dpo { beta: 0.1 divergence: REVERSE_KL }"));
  // Both trainings come to this reward: two thirds of the way of the shorter one.
  const double start = world.Measure(world.reference()).reward;
  const double end = std::min(world.Measure(shannon.back()).reward, world.Measure(reverse.back()).reward);
  const double reward = start + 2 * (end - start) / 3;
  return Comparison{world.Where(shannon, &PolicyFigures::reward, reward, &PolicyFigures::entropy),
                    world.Where(reverse, &PolicyFigures::reward, reward, &PolicyFigures::entropy)};
}

const bool kRegistered = RegisterClaim(
    {"f_dpo", "Wang et al. 2023, Beyond Reverse KL (arXiv 2309.16240)",
     "f-DPO with the Jensen-Shannon divergence keeps more diversity than with the reverse KL at the same "
     "reward.",
     "Jensen-Shannon (beta 0.1)", "reverse KL (beta 0.1)",
     "entropy of answers in nats where the expected gold reward first comes to the same value",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the two paths of training are compared at one reward, not optima at one divergence. The entropy of "
     "whole answers grows with their "
     "length, for which the gold reward pays, and the reverse KL lengthens them more; bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
