// Rafailov et al. 2024: beyond some divergence the gold reward of directly aligned policies falls.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kEarly = 50, kLate = 1000;

absl::StatusOr<Comparison> Run(uint64_t seed) {
  PreferenceWorldOptions options;
  options.pairs = 96;
  const PreferenceWorld world(seed, options);
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.05 }", {kLate, 0.05}));
  return Comparison{world.Measure(policies[kLate]).reward, world.Measure(policies[kEarly]).reward};
}

const bool kRegistered =
    RegisterClaim({"scaling_law",
                   "Rafailov et al. 2024, Scaling Laws for Reward Model Overoptimization in Direct Alignment "
                   "Algorithms (arXiv 2406.02900)",
                   "DPO on few pairs is over-optimised: the gold reward falls while training goes on and the "
                   "KL divergence grows.",
                   "after 1,000 steps", "after 50 steps",
                   "expected gold reward of DPO (beta 0.05) on 96 pairs", /*lower_is_better=*/true,
                   /*seeds=*/10,
                   "two points of one training, fixed beforehand; the law's form is fitted by "
                   "alignment/eval/scaling_law.h.",
                   Run});

}  // namespace
}  // namespace plumb
