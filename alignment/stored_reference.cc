#include "alignment/stored_reference.h"

#include <ATen/ops/cat.h>

#include <utility>

#include "alignment/preference_data.h"

namespace plumb {
namespace {

at::Tensor Rows(const at::Tensor& all, const std::vector<int64_t>& offsets,
                absl::Span<const int64_t> examples) {
  std::vector<at::Tensor> tokens;
  for (const int64_t i : examples) tokens.push_back(all.narrow(0, offsets[i], offsets[i + 1] - offsets[i]));
  return at::cat(tokens);
}

}  // namespace

StoredReference::StoredReference(absl::Span<const TokenizedPreference> pairs, ReferenceLogps logps)
    : logps_(std::move(logps)), chosen_offsets_({0}), rejected_offsets_({0}) {
  for (const TokenizedPreference& pair : pairs) {
    chosen_offsets_.push_back(chosen_offsets_.back() + PredictedTokens(pair, pair.chosen_ids));
    rejected_offsets_.push_back(rejected_offsets_.back() + PredictedTokens(pair, pair.rejected_ids));
  }
}

at::Tensor StoredReference::Chosen(absl::Span<const int64_t> examples) const {
  return Rows(logps_.chosen_token_logps, chosen_offsets_, examples);
}

at::Tensor StoredReference::Rejected(absl::Span<const int64_t> examples) const {
  return Rows(logps_.rejected_token_logps, rejected_offsets_, examples);
}

}  // namespace plumb
