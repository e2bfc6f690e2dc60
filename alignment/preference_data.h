#ifndef PLUMB_ALIGNMENT_PREFERENCE_DATA_H_
#define PLUMB_ALIGNMENT_PREFERENCE_DATA_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/data/examples.h"

namespace plumb {

// What a stage learns from, and what is held out.
struct PreferenceData {
  std::vector<TokenizedPreference> train;
  std::vector<TokenizedPreference> eval;
};

using Pairs = std::vector<const TokenizedPreference*>;

// A text to learn, as the chosen answer of a pair without a rejected one.
TokenizedPreference AsPreference(TokenizedText text);

Pairs Select(const std::vector<TokenizedPreference>& pairs, absl::Span<const int64_t> examples);

// An answer with a label, as the chosen answer of a pair without a rejected one.
TokenizedPreference AsPreference(TokenizedText text, bool label);

// Tokens as TRL counts them: the prompt with each of its answers, though it is computed once.
int64_t TokenCount(const TokenizedPreference& pair, bool with_rejected);

// How many of an answer's tokens are predicted: all, but the first when there is no prompt.
int64_t PredictedTokens(const TokenizedPreference& pair, const std::vector<int64_t>& answer);

// How many pairs carry log-probabilities of a reference model.
struct ReferenceColumns {
  int64_t pairs = 0;  // in all, held-out ones too
  int64_t both = 0;   // with those of both answers
  int64_t some = 0;   // with those of one answer at least
};
ReferenceColumns CountReferenceColumns(const PreferenceData& data);

// [B] f32: 1 for good answers, 0 for bad ones; all have a label.
at::Tensor Labels(const Pairs& pairs);

// [B] f64: undefined where no answer has a weight, 1 for one that has none.
at::Tensor Weights(const Pairs& pairs);

// [B] f64: undefined where no pair has a margin, 0 for one that has none.
at::Tensor Margins(const Pairs& pairs);

// [B, K] f64: scores of the pairs, which all have K of them.
at::Tensor ChosenScores(const Pairs& pairs);
at::Tensor RejectedScores(const Pairs& pairs);

// [predicted tokens of the answers] f32: 1 for those that count. Where a pair says nothing, all do.
at::Tensor ChosenMask(const Pairs& pairs);
at::Tensor RejectedMask(const Pairs& pairs);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PREFERENCE_DATA_H_
