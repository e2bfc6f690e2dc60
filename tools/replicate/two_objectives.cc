#include "tools/replicate/two_objectives.h"

#include <ATen/TensorOperators.h>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"

namespace plumb {

TwoObjectives::TwoObjectives(const PreferenceWorld& world, int64_t pairs, uint64_t seed)
    : first(world.SamplePairs(world.reference(), pairs, RandomStream(seed, "first"), {1, 0})),
      other(world.SamplePairs(world.reference(), pairs, RandomStream(seed, "other"), {0, 1})) {}

absl::StatusOr<PreferencePairs> WithMargin(const PreferenceWorld& world, const TwoObjectives& data,
                                           double beta) {
  PLUMB_ASSIGN_OR_RETURN(const auto policies,
                         world.Train(absl::StrCat("dpo { beta: ", beta, " }"), world.reference(),
                                     world.reference(), data.other, {}));
  PreferencePairs pairs = data.first;
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), pairs);
  pairs.score_chosen = (beta * (logps.policy_chosen_logps - logps.reference_chosen_logps)).unsqueeze(1);
  pairs.score_rejected = (beta * (logps.policy_rejected_logps - logps.reference_rejected_logps)).unsqueeze(1);
  return pairs;
}

PreferencePairs Weighted(const TwoObjectives& data, int64_t first_times, int64_t other_times) {
  PreferencePairs pairs = first_times > 0 ? data.first : data.other;
  const auto add = [&](const PreferencePairs& more, int64_t times) {
    for (int64_t i = 0; i < times; ++i) {
      pairs.chosen = Joined(pairs.chosen, more.chosen);
      pairs.rejected = Joined(pairs.rejected, more.rejected);
    }
  };
  add(data.first, first_times - 1);
  add(data.other, first_times > 0 ? other_times : other_times - 1);
  return pairs;
}

absl::StatusOr<std::vector<at::Tensor>> TrainModpo(const PreferenceWorld& world,
                                                   const PreferencePairs& with_margin, double beta,
                                                   const WeightShare& weight) {
  const double share = static_cast<double>(weight.share) / static_cast<double>(weight.of);
  return world.Train(absl::StrCat("modpo { beta: ", beta, " weight: ", share, " }"), world.reference(),
                     world.reference(), with_margin, {});
}

absl::StatusOr<std::vector<at::Tensor>> TrainWeightedDpo(const PreferenceWorld& world,
                                                         const TwoObjectives& data, double beta,
                                                         const WeightShare& weight) {
  return world.Train(absl::StrCat("dpo { beta: ", beta, " }"), world.reference(), world.reference(),
                     Weighted(data, weight.share, weight.of - weight.share), {});
}

}  // namespace plumb
