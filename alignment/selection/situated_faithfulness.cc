#include "alignment/selection/situated_faithfulness.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace plumb {

std::string SelfGuidedPrompt(absl::string_view question, absl::string_view context,
                             absl::string_view internal_answer) {
  std::string prompt = absl::StrCat("Question: ", question, "\n\nDocument: ", context, "\n\n");
  if (!internal_answer.empty()) {
    absl::StrAppend(&prompt, "Your answer without the document: ", internal_answer, "\n\n");
  }
  absl::StrAppend(&prompt,
                  "The document may be wrong. Say how sure you are of what you know yourself and how far the "
                  "document can be trusted, then give the answer that is more likely to be right.");
  return prompt;
}

TrustedSource TrustByThreshold(double internal_confidence, double threshold) {
  return internal_confidence >= threshold ? TrustedSource::kInternal : TrustedSource::kContext;
}

TrustedSource TrustByComparison(double internal_confidence, double context_confidence) {
  return internal_confidence > context_confidence ? TrustedSource::kInternal : TrustedSource::kContext;
}

std::optional<TrustedSource> RightSource(bool internal_is_right, bool context_is_right) {
  if (internal_is_right == context_is_right) return std::nullopt;
  return internal_is_right ? TrustedSource::kInternal : TrustedSource::kContext;
}

std::vector<AnswerPair> ConfidencePairs(absl::Span<const ConfidenceReasoning> reasonings,
                                        bool internal_is_right, bool context_is_right, int64_t max_pairs) {
  const std::optional<TrustedSource> right = RightSource(internal_is_right, context_is_right);
  if (!right.has_value()) return {};
  std::vector<int64_t> chosen, rejected;
  for (size_t i = 0; i < reasonings.size(); ++i) {
    (reasonings[i].trusted == *right ? chosen : rejected).push_back(i);
  }
  const int64_t count = std::min<int64_t>(
      {max_pairs, static_cast<int64_t>(chosen.size()), static_cast<int64_t>(rejected.size())});
  std::vector<AnswerPair> pairs;
  for (int64_t i = 0; i < count; ++i) pairs.push_back({chosen[i], rejected[i]});
  return pairs;
}

std::optional<double> SituatedFaithfulness(absl::Span<const SituatedAnswer> answers) {
  double questions[2] = {0, 0}, right[2] = {0, 0};
  for (const SituatedAnswer& answer : answers) {
    ++questions[answer.context_is_right];
    right[answer.context_is_right] += answer.answer_is_right;
  }
  if (questions[0] == 0 || questions[1] == 0) return std::nullopt;
  return (right[0] / questions[0] + right[1] / questions[1]) / 2;
}

}  // namespace plumb
