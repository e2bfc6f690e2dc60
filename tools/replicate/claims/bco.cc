// Jung et al. 2024: a classifier of answers, whose logit is the reward.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const PreferencePairs answers = Unpaired(world.pairs());
  const auto reward = [&](const char* objective) -> absl::StatusOr<double> {
    PLUMB_ASSIGN_OR_RETURN(const auto policies,
                           world.Train(objective, world.reference(), world.reference(), answers, {}));
    return world.Measure(policies.back()).reward;
  };
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, reward("bco { beta: 0.1 }"));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, reward("kto { beta: 0.1 }"));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"bco",
     "Jung et al. 2024, Binary Classifier Optimization for Large Language Model Alignment (arXiv 2404.04656)",
     "BCO exceeds KTO on the same answers with a label each.", "BCO (beta 0.1)", "KTO (beta 0.1, weights 1)",
     "expected gold reward after 200 steps",
     /*lower_is_better=*/false, /*seeds=*/10,
     "good and bad answers are to the same prompts, so that the paper's matching of distributions, which is "
     "not part of this run, would have nothing to do. KTO's baseline is the exact KL divergence. Bigram "
     "policies.",
     Run});

}  // namespace
}  // namespace plumb
