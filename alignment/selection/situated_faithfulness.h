#ifndef PLUMB_ALIGNMENT_SELECTION_SITUATED_FAITHFULNESS_H_
#define PLUMB_ALIGNMENT_SELECTION_SITUATED_FAITHFULNESS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "alignment/selection/answer_pair.h"

namespace plumb {

// Situated faithfulness (Huang et al. 2024, arXiv 2410.14675): a model that is given a context which may be
// wrong should trust it, or what it knows itself, whichever is right. It answers a question twice: without
// the context (the internal answer) and from the context alone (the contextual answer).

enum class TrustedSource { kInternal, kContext };

// Self-guided confidence reasoning (SCR): the model itself weighs the two. This is the question to ask it,
// question before context as the paper has it; the wording is ours. Without an internal answer that part is
// left out.
std::string SelfGuidedPrompt(absl::string_view question, absl::string_view context,
                             absl::string_view internal_answer = "");

// Rule-based confidence reasoning (RCR): from confidences in [0, 1] that were asked of the model or read from
// its probabilities. By threshold, the internal answer is kept when its confidence is at least that; by
// comparison, when it is above that of the contextual answer. The exact rules could not be verified against
// the paper's text.
TrustedSource TrustByThreshold(double internal_confidence, double threshold);
TrustedSource TrustByComparison(double internal_confidence, double context_confidence);

// Which source is right where just one is; nothing where both are right or both wrong.
std::optional<TrustedSource> RightSource(bool internal_is_right, bool context_is_right);

// One line of reasoning that the model itself gave when asked as above.
struct ConfidenceReasoning {
  TrustedSource trusted;  // whose answer it ends in
};

// Confidence reasoning DPO (CR-DPO): for a question of which just one source is right, reasoning that ends in
// the answer of the right source is chosen, reasoning that ends in the other's is rejected. The first of one
// kind is paired with the first of the other, the second with the second ..., at most `max_pairs` of them.
// Reasoning must be the model's own: that of a stronger model teaches it to contradict what it knows (the
// paper's ablation).
std::vector<AnswerPair> ConfidencePairs(absl::Span<const ConfidenceReasoning> reasonings,
                                        bool internal_is_right, bool context_is_right, int64_t max_pairs);

// The paper's measure: the mean of the accuracy where the context is right and of that where it is wrong,
// over questions of each kind. Nothing where there are no questions of one kind.
struct SituatedAnswer {
  bool context_is_right = false;
  bool answer_is_right = false;
};
std::optional<double> SituatedFaithfulness(absl::Span<const SituatedAnswer> answers);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_SITUATED_FAITHFULNESS_H_
