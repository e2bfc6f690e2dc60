#ifndef PLUMB_TOOLS_REPLICATE_TWO_OBJECTIVES_H_
#define PLUMB_TOOLS_REPLICATE_TWO_OBJECTIVES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/replicate/preference_world.h"

namespace plumb {

// Pairs for two objectives at once (Zhou et al. 2023, arXiv 2310.03708): two sets of answers of the
// reference, the one labelled by the first gold reward, the other by the second.
struct TwoObjectives {
  TwoObjectives(const PreferenceWorld& world, int64_t pairs, uint64_t seed);
  PreferencePairs first, other;
};

// The first set with a margin of the other objective as its scores: the rewards that a policy trained by DPO
// on the other set implies.
absl::StatusOr<PreferencePairs> WithMargin(const PreferenceWorld& world, const TwoObjectives& data,
                                           double beta);

// Both sets in one, each pair as often as its objective's weight says: a mean over it is the weighted loss.
PreferencePairs Weighted(const TwoObjectives& data, int64_t first_times, int64_t other_times);

// Policies after each of 200 steps, for the weights share and 1 - share of the two objectives.
struct WeightShare {
  int64_t share = 1, of = 2;  // 1 / 2
};
absl::StatusOr<std::vector<at::Tensor>> TrainModpo(const PreferenceWorld& world,
                                                   const PreferencePairs& with_margin, double beta,
                                                   const WeightShare& weight);
absl::StatusOr<std::vector<at::Tensor>> TrainWeightedDpo(const PreferenceWorld& world,
                                                         const TwoObjectives& data, double beta,
                                                         const WeightShare& weight);

}  // namespace plumb

#endif  // PLUMB_TOOLS_REPLICATE_TWO_OBJECTIVES_H_
