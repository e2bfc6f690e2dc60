// Raghavendra et al. 2025: how to divide a budget of annotations between fine-tuning and preferences.

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kBudget = 2048;  // annotations: a demonstration and a labelled pair cost the same

// Answers of an expert, who is the reference after much feedback. Labels turned round every other time say
// nothing, so that the chosen answers are the expert's, good and bad.
absl::StatusOr<PreferencePairs> Demonstrations(uint64_t seed, int64_t count) {
  PreferenceWorldOptions options;
  options.pairs = 4096;
  const PreferenceWorld teacher(seed, options);
  PLUMB_ASSIGN_OR_RETURN(const auto expert, teacher.Train("dpo { beta: 0.5 }"));
  options.pairs = 0;
  options.flipped = 0.5;
  const PreferenceWorld unlabelled(seed, options);
  return unlabelled.SamplePairs(expert.back(), count, RandomStream(seed, "demonstrations"));
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const at::Tensor& base = world.reference();
  PLUMB_ASSIGN_OR_RETURN(const PreferencePairs all, Demonstrations(seed, kBudget));
  PLUMB_ASSIGN_OR_RETURN(const auto alone, world.Train("sft {}", base, base, all, {}));
  PLUMB_ASSIGN_OR_RETURN(const PreferencePairs half, Demonstrations(seed, kBudget / 2));
  PLUMB_ASSIGN_OR_RETURN(const auto start, world.Train("sft {}", base, base, half, {}));
  const PreferencePairs pairs =
      world.SamplePairs(start.back(), kBudget / 2, RandomStream(seed, "preferences"));
  PLUMB_ASSIGN_OR_RETURN(const auto both,
                         world.Train("dpo { beta: 0.1 }", start.back(), start.back(), pairs, {}));
  return Comparison{world.Measure(both.back()).reward, world.Measure(alone.back()).reward};
}

const bool kRegistered = RegisterClaim(
    {"data_budget", "Raghavendra et al. 2025, Balancing the Budget (arXiv 2502.11284)",
     "With a large budget, fine-tuning on half of it and preferences for the other half exceed fine-tuning "
     "on all.",
     "half demonstrations, half pairs (DPO, beta 0.1)", "demonstrations alone",
     "expected gold reward after 2,048 annotations", /*lower_is_better=*/false, /*seeds=*/10,
     "one price for both kinds of annotation and one expert; where the budget is small, and without any "
     "demonstrations, the paper finds otherwise, which this run does not ask. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
