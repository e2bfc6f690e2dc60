#include "common/nn/text_stream.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "common/data/tokenizer.h"

namespace plumb {
namespace {

// Enough for every tokenizer's rule about left neighbours, and for a character of four byte tokens.
constexpr size_t kContext = 5;
// A character has at most four bytes: what is still no character after so many tokens never becomes one.
constexpr size_t kMostHeldBack = 8;
constexpr char kReplacement[] = "\xef\xbf\xbd";

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, absl::Span<const int64_t> prompt_ids)
    : tokenizer_(tokenizer) {
  context_ = std::min(prompt_ids.size(), kContext);
  window_.assign(prompt_ids.end() - context_, prompt_ids.end());
}

std::string TextStream::Push(int64_t token_id) {
  window_.push_back(token_id);
  return Take(/*whole_characters=*/true);
}

std::string TextStream::Finish() { return Take(/*whole_characters=*/false); }

std::string TextStream::Take(bool whole_characters) {
  const absl::Span<const int64_t> window(window_);
  const std::string before = tokenizer_.Decode(window.first(context_), /*skip_special_tokens=*/true);
  const std::string now = tokenizer_.Decode(window, /*skip_special_tokens=*/true);
  const bool wait = whole_characters && window_.size() - context_ < kMostHeldBack;
  if (wait && absl::EndsWith(now, kReplacement)) return "";
  if (now.size() <= before.size()) return "";
  if (window_.size() > kContext) window_.erase(window_.begin(), window_.end() - kContext);
  context_ = window_.size();
  return now.substr(before.size());
}

}  // namespace plumb
