// Zhou et al. 2023: several objectives, weighted, by a margin from the others' rewards.

#include <ATen/TensorOperators.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr double kBeta = 0.1, kNats = 1;
constexpr int64_t kPairs = 512;

// Two sets of pairs, the one labelled by the first gold reward, the other by the second.
struct Data {
  Data(const PreferenceWorld& world, uint64_t seed)
      : first(world.SamplePairs(world.reference(), kPairs, RandomStream(seed, "first"), {1, 0})),
        other(world.SamplePairs(world.reference(), kPairs, RandomStream(seed, "other"), {0, 1})) {}
  PreferencePairs first, other;
};

// The rewards that a policy trained by DPO on the other set implies, of the first set's answers.
absl::StatusOr<PreferencePairs> WithMargin(const PreferenceWorld& world, const Data& data) {
  PLUMB_ASSIGN_OR_RETURN(const auto policies,
                         world.Train(absl::StrCat("dpo { beta: ", kBeta, " }"), world.reference(),
                                     world.reference(), data.other, {}));
  PreferencePairs pairs = data.first;
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), pairs);
  pairs.score_chosen = (kBeta * (logps.policy_chosen_logps - logps.reference_chosen_logps)).unsqueeze(1);
  pairs.score_rejected =
      (kBeta * (logps.policy_rejected_logps - logps.reference_rejected_logps)).unsqueeze(1);
  return pairs;
}

// Both sets in one, each pair as often as its objective's weight says: a mean over it is the weighted loss.
PreferencePairs Weighted(const Data& data, int64_t first_times, int64_t other_times) {
  PreferencePairs pairs = first_times > 0 ? data.first : data.other;
  const auto add = [&](const PreferencePairs& more, int64_t times) {
    for (int64_t i = 0; i < times; ++i) {
      pairs.chosen = Joined(pairs.chosen, more.chosen);
      pairs.rejected = Joined(pairs.rejected, more.rejected);
    }
  };
  add(data.first, first_times - 1);
  add(data.other, other_times);
  return pairs;
}

double WeightedReward(const PreferenceWorld& world, const std::vector<at::Tensor>& policies, double weight) {
  return weight * world.Where(policies, &PolicyFigures::kl, kNats, &PolicyFigures::reward) +
         (1 - weight) * world.Where(policies, &PolicyFigures::kl, kNats, &PolicyFigures::other_reward);
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const Data data(world, seed);
  PLUMB_ASSIGN_OR_RETURN(const PreferencePairs with_margin, WithMargin(world, data));
  Comparison comparison;
  constexpr int64_t kQuarters = 4;
  for (int64_t quarters = 1; quarters < kQuarters; ++quarters) {
    const double weight = static_cast<double>(quarters) / kQuarters;
    PLUMB_ASSIGN_OR_RETURN(const auto modpo,
                           world.Train(absl::StrCat("modpo { beta: ", kBeta, " weight: ", weight, " }"),
                                       world.reference(), world.reference(), with_margin, {}));
    PLUMB_ASSIGN_OR_RETURN(
        const auto weighted,
        world.Train(absl::StrCat("dpo { beta: ", kBeta, " }"), world.reference(), world.reference(),
                    Weighted(data, quarters, kQuarters - quarters), {}));
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
