// Zhou et al. 2023: several objectives, weighted, by a margin from the others' rewards.

#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"
#include "tools/replicate/two_objectives.h"

namespace plumb {
namespace {

constexpr double kBeta = 0.1, kNats = 1;
constexpr int64_t kPairs = 512, kQuarters = 4;

double WeightedReward(const PreferenceWorld& world, const std::vector<at::Tensor>& policies, double weight) {
  return weight * world.Where(policies, &PolicyFigures::kl, kNats, &PolicyFigures::reward) +
         (1 - weight) * world.Where(policies, &PolicyFigures::kl, kNats, &PolicyFigures::other_reward);
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const TwoObjectives data(world, kPairs, seed);
  PLUMB_ASSIGN_OR_RETURN(const PreferencePairs with_margin, WithMargin(world, data, kBeta));
  Comparison comparison;
  for (int64_t quarters = 1; quarters < kQuarters; ++quarters) {
    const double weight = static_cast<double>(quarters) / kQuarters;
    PLUMB_ASSIGN_OR_RETURN(const auto modpo, TrainModpo(world, with_margin, kBeta, {quarters, kQuarters}));
    PLUMB_ASSIGN_OR_RETURN(const auto weighted, TrainWeightedDpo(world, data, kBeta, {quarters, kQuarters}));
    comparison.method += WeightedReward(world, modpo, weight) / (kQuarters - 1);
    comparison.baseline += WeightedReward(world, weighted, weight) / (kQuarters - 1);
  }
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"modpo", "Zhou et al. 2023, Multi-Objective Direct Preference Optimization (arXiv 2310.03708)",
     "MODPO, with a margin from a policy of the other objective, exceeds DPO on the weighted losses of both "
     "objectives' pairs.",
     "MODPO (beta 0.1)", "weighted DPO losses (beta 0.1)",
     "gold rewards weighted 1:3, 1:1 and 3:1, mean, where the KL divergence from the reference first comes "
     "to 1 nat",
     /*lower_is_better=*/false, /*seeds=*/10,
     "the margin is learnt from pairs of other answers than those that it is applied to, and what it errs in "
     "there MODPO takes over, while weighted losses see both objectives' labels; it has 200 steps of its "
     "own, which the baseline does not have. The two rewards are independent rather than at odds. Bigram "
     "policies.",
     Run});

}  // namespace
}  // namespace plumb
