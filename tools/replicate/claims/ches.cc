// Razin et al. 2024: pairs of similar hidden embeddings push their own preferred answers down.

#include "alignment/selection/ches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/one_hot.h>

#include <vector>

#include "common/status/status_macros.h"
#include "tools/replicate/claim.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

constexpr int64_t kPairs = 2048, kKept = 256;

std::vector<Segment> Segments(const Answers& answers, int64_t begin) {
  std::vector<Segment> segments;
  for (int64_t i = 0; i < answers.lengths.size(0); ++i) {
    const int64_t end = begin + static_cast<int64_t>(answers.lengths[i].item<double>());
    segments.push_back({begin, end});
    begin = end;
  }
  return segments;
}

// A bigram policy's logits are linear in its hidden states, of which there is one for each prompt and token
// before: the rows of its table.
at::Tensor Scores(const PreferenceWorld& world, const PreferencePairs& pairs) {
  const int64_t vocabulary = world.reference().size(2), rows = world.reference().size(0) * vocabulary;
  const at::Tensor cells = at::cat({pairs.chosen.cells, pairs.rejected.cells});
  const at::Tensor states = at::one_hot(cells.div(vocabulary, "floor"), rows).to(at::kDouble);
  return ChesScores(states, Segments(pairs.chosen, 0), Segments(pairs.rejected, pairs.chosen.cells.size(0)),
                    /*length_normalized=*/true);
}

// How much likelier DPO on some of the pairs makes their chosen answers, per token.
absl::StatusOr<double> Displacement(const PreferenceWorld& world, const PreferencePairs& pairs,
                                    const std::vector<int64_t>& places) {
  PreferencePairs some;
  some.chosen = Select(pairs.chosen, places);
  some.rejected = Select(pairs.rejected, places);
  PLUMB_ASSIGN_OR_RETURN(const auto policies,
                         world.Train("dpo { beta: 0.1 }", world.reference(), world.reference(), some, {}));
  const PreferenceLogps logps = world.Logps(policies.back(), world.reference(), some);
  return ((logps.policy_chosen_logps - logps.reference_chosen_logps) / logps.chosen_length)
      .mean()
      .item<double>();
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const PreferenceWorld world(seed, {});
  const RandomStream random(seed, "ches");
  const PreferencePairs pairs = world.SamplePairs(world.reference(), kPairs, random.Child("pairs"));
  const at::Tensor order = Scores(world, pairs).argsort();
  const int64_t* lowest = order.const_data_ptr<int64_t>();
  std::vector<int64_t> any = random.Child("any").Permutation(kPairs);
  any.resize(kKept);
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, Displacement(world, pairs, {lowest, lowest + kKept}));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, Displacement(world, pairs, any));
  return comparison;
}

const bool kRegistered = RegisterClaim(
    {"ches",
     "Razin et al. 2024, Unintentional Unalignment: Likelihood Displacement in DPO (arXiv 2410.08847)",
     "DPO on the pairs of the lowest length-normalised CHES scores lowers the likelihood of its chosen "
     "answers less than "
     "on as many random pairs.",
     "lowest 256 of 2,048 pairs", "random 256 pairs",
     "change of the chosen answers' log-probability per token, mean, after 200 steps (DPO, beta 0.1), nats",
     /*lower_is_better=*/false, /*seeds=*/10,
     "hidden states of bigram policies are one-hot and not learnt, so that similar ones are the same. The "
     "lowest scores are those of short or repetitive chosen answers, for which reason likelihoods are per "
     "token; each training is judged on its own pairs, as in the paper, which looks at refusals too.",
     Run});

}  // namespace
}  // namespace plumb
