// Rafailov et al. 2024: what DPO learns of whole answers says which of their tokens were good.

#include <ATen/TensorOperators.h>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

double Correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a - a.mean(), y = b - b.mean();
  return ((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()).item<double>();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  constexpr double kBeta = 0.1;
  const PreferenceWorld world(seed, {});
  PLUMB_ASSIGN_OR_RETURN(const auto policies, world.Train("dpo { beta: 0.1 }"));
  // New answers of the reference, as those that were learnt.
  const PreferencePairs pairs = world.SamplePairs(world.reference(), 512, RandomStream(seed, "new answers"));
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), pairs);
  const at::Tensor credit = kBeta * (logps.policy_chosen_token_logps - logps.reference_chosen_token_logps);
  const at::Tensor spread =
      (kBeta * (logps.policy_chosen_logps - logps.reference_chosen_logps) / logps.chosen_length)
          .index_select(0, pairs.chosen.rows);
  return Comparison{Correlation(credit, pairs.chosen.token_rewards),
                    Correlation(spread, pairs.chosen.token_rewards)};
}

const bool kRegistered = RegisterClaim(
    {"r_to_q",
     "Rafailov et al. 2024, From r to Q*: Your Language Model is Secretly a Q-Function (arXiv 2404.12358)",
     "A DPO policy's credit of each token tells good tokens from bad ones better than the answer's implicit "
     "reward spread over its tokens.",
     "credit of each token (DPO, beta 0.1)", "implicit reward / length",
     "correlation with the tokens' gold rewards, on new answers", /*lower_is_better=*/false, /*seeds=*/10,
     "a token's credit is its reward and the change of value that it brings, of which only the reward is "
     "compared; the "
     "paper shows credits of two answers, and no figure. Bigram policies.",
     Run});

}  // namespace
}  // namespace plumb
