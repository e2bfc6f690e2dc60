#include "alignment/preference_data.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>

namespace plumb {
namespace {

at::Tensor Scores(const Pairs& pairs, std::vector<double> TokenizedPreference::*scores) {
  std::vector<double> all;
  for (const TokenizedPreference* pair : pairs) {
    all.insert(all.end(), (pair->*scores).begin(), (pair->*scores).end());
  }
  return at::tensor(all, at::kDouble).view({static_cast<int64_t>(pairs.size()), -1});
}

at::Tensor Mask(const Pairs& pairs, std::vector<int64_t> TokenizedPreference::*answer,
                std::vector<bool> TokenizedPreference::*mask) {
  std::vector<float> all;
  for (const TokenizedPreference* pair : pairs) {
    const int64_t length = (pair->*answer).size();
    for (int64_t t = length - PredictedTokens(*pair, pair->*answer); t < length; ++t) {
      all.push_back((pair->*mask).empty() || (pair->*mask)[t] ? 1 : 0);
    }
  }
  return at::tensor(all, at::kFloat);
}

// Undefined where no pair has such a number.
at::Tensor Optional(const Pairs& pairs, std::optional<double> TokenizedPreference::*number,
                    double otherwise) {
  std::vector<double> numbers;
  bool any = false;
  for (const TokenizedPreference* pair : pairs) {
    numbers.push_back((pair->*number).value_or(otherwise));
    any |= (pair->*number).has_value();
  }
  return any ? at::tensor(numbers, at::kDouble) : at::Tensor();
}

}  // namespace

TokenizedPreference AsPreference(TokenizedText text) {
  TokenizedPreference pair;
  pair.prompt_ids = std::move(text.prompt_ids);
  pair.chosen_ids = std::move(text.completion_ids);
  return pair;
}

TokenizedPreference AsPreference(TokenizedText text, bool label) {
  TokenizedPreference pair = AsPreference(std::move(text));
  pair.label = label;
  return pair;
}

Pairs Select(const std::vector<TokenizedPreference>& pairs, absl::Span<const int64_t> examples) {
  Pairs selected;
  for (const int64_t i : examples) selected.push_back(&pairs[i]);
  return selected;
}

int64_t TokenCount(const TokenizedPreference& pair, bool with_rejected) {
  const int64_t prompt = pair.prompt_ids.size();
  const int64_t chosen = prompt + pair.chosen_ids.size();
  const int64_t gold = pair.gold_ids.empty() ? 0 : prompt + pair.gold_ids.size();
  return chosen + (with_rejected ? prompt + pair.rejected_ids.size() : 0) + gold;
}

int64_t PredictedTokens(const TokenizedPreference& pair, const std::vector<int64_t>& answer) {
  const int64_t first = pair.prompt_ids.empty() ? 1 : 0;
  return std::max<int64_t>(0, static_cast<int64_t>(answer.size()) - first);
}

ReferenceColumns CountReferenceColumns(const PreferenceData& data) {
  ReferenceColumns columns;
  for (const auto* part : {&data.train, &data.eval}) {
    for (const TokenizedPreference& pair : *part) {
      const bool chosen = pair.ref_chosen_logps.has_value(), rejected = pair.ref_rejected_logps.has_value();
      ++columns.pairs;
      columns.both += chosen && rejected;
      columns.some += chosen || rejected;
    }
  }
  return columns;
}

at::Tensor Labels(const Pairs& pairs) {
  std::vector<float> labels;
  for (const TokenizedPreference* pair : pairs) labels.push_back(*pair->label ? 1 : 0);
  return at::tensor(labels, at::kFloat);
}

at::Tensor Margins(const Pairs& pairs) { return Optional(pairs, &TokenizedPreference::margin, 0); }

at::Tensor Weights(const Pairs& pairs) { return Optional(pairs, &TokenizedPreference::weight, 1); }

at::Tensor ChosenScores(const Pairs& pairs) { return Scores(pairs, &TokenizedPreference::score_chosen); }

at::Tensor RejectedScores(const Pairs& pairs) { return Scores(pairs, &TokenizedPreference::score_rejected); }

at::Tensor ChosenMask(const Pairs& pairs) {
  return Mask(pairs, &TokenizedPreference::chosen_ids, &TokenizedPreference::chosen_mask);
}

at::Tensor RejectedMask(const Pairs& pairs) {
  return Mask(pairs, &TokenizedPreference::rejected_ids, &TokenizedPreference::rejected_mask);
}

}  // namespace plumb
