#include "alignment/preference_data.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <utility>

namespace plumb {

TokenizedPreference AsPreference(TokenizedText text) {
  TokenizedPreference pair;
  pair.prompt_ids = std::move(text.prompt_ids);
  pair.chosen_ids = std::move(text.completion_ids);
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
  return with_rejected ? chosen + prompt + pair.rejected_ids.size() : chosen;
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

at::Tensor Margins(const Pairs& pairs) {
  std::vector<double> margins;
  bool any = false;
  for (const TokenizedPreference* pair : pairs) {
    margins.push_back(pair->margin.value_or(0));
    any |= pair->margin.has_value();
  }
  return any ? at::tensor(margins, at::kDouble) : at::Tensor();
}

}  // namespace plumb
