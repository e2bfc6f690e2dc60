#ifndef PLUMB_COMMON_NN_BEAM_SEARCH_H_
#define PLUMB_COMMON_NN_BEAM_SEARCH_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/nn/causal_lm.h"
#include "common/nn/generation.h"

namespace plumb {

struct BeamSearchOptions {
  int64_t num_beams = 5;
  int64_t max_new_tokens = 256;
  double length_penalty = 1;  // an answer's sum is divided by its length to this power
  std::vector<int64_t> eos_token_ids;
};

struct BeamHypothesis {
  GeneratedSequence sequence;
  double score = 0;
};

// The num_beams best answers that a beam search finds, best first, as transformers' num_beams with
// early_stopping=False. An answer's score is the sum of its tokens' terms over length^length_penalty; those
// that max_new_tokens cuts compete with those that ended. A term is
//
//   log pi(a_t|s_t)                               without a reference
//   log pi(a_t|s_t) - log pi_ref(a_t|s_t)         with one
//
// "From r to Q*: Your Language Model is Secretly a Q-Function" (Rafailov et al. 2024, arXiv 2404.12358), for
// a policy trained by DPO against that reference: in the token-level decision process beta log pi(a|s) is the
// optimal advantage Q*(s,a) - V*(s) of rewards r + beta log pi_ref, so that search by r + beta log pi_ref +
// V*, the value of a prefix, is search by the policy's own likelihood (section 4.2, search by likelihood).
// Without the reference's share, beta times the log-ratio of a prefix is sum r + V*(s_t) - V*(s_0), the
// implicit value that the second form searches by; of each beam only its 2 num_beams likeliest next tokens
// are looked at then, as nothing keeps that score from unlikely text. The second form, and its cut, are ours:
// the paper's experiments are on the first.
//
// Errors are Generate()'s. The models must not be trained at the same time.
absl::StatusOr<std::vector<BeamHypothesis>> BeamSearch(CausalLm& model, CausalLm* reference,
                                                       const std::vector<int64_t>& prompt_ids,
                                                       const BeamSearchOptions& options,
                                                       const Tokenizer* tokenizer = nullptr);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_BEAM_SEARCH_H_
