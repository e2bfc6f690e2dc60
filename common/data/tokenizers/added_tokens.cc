#include "common/data/tokenizers/added_tokens.h"

#include <algorithm>

#include "common/data/tokenizers/unicode.h"

namespace plumb {

void AddedTokenFinder::Add(const std::string& content, const AddedToken& token) {
  if (content.empty()) return;
  first_[static_cast<uint8_t>(content[0])] = true;
  uint32_t node = 0;
  for (const char c : content) {
    const uint64_t key = static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(c);
    const auto [child, is_new] = children_.emplace(key, token_of_node_.size());
    node = child->second;
    if (is_new) token_of_node_.push_back(-1);
  }
  if (token_of_node_[node] >= 0) return;  // the first of equals
  token_of_node_[node] = static_cast<int>(tokens_.size());
  tokens_.push_back(token);
}

int AddedTokenFinder::LongestAt(absl::string_view text, size_t* length) const {
  int longest = -1;
  uint32_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto child = children_.find(static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(text[i]));
    if (child == children_.end()) break;
    node = child->second;
    if (token_of_node_[node] < 0) continue;
    longest = token_of_node_[node];
    *length = i + 1;
  }
  return longest;
}

void AddedTokenFinder::Split(absl::string_view text, std::vector<TextPart>* parts) const {
  size_t done = 0;  // all before is in `parts`
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    const int found = first_[static_cast<uint8_t>(text[i])] ? LongestAt(text.substr(i), &length) : -1;
    if (found < 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_[found];
    size_t start = i;
    size_t end = i + length;
    i = end;
    if (token.single_word &&
        (EndsWithWordCharacter(text.substr(0, start)) || StartsWithWordCharacter(text.substr(end)))) {
      continue;
    }
    if (token.lstrip) start -= TrailingWhitespace(text.substr(0, start));
    if (token.rstrip) end += LeadingWhitespace(text.substr(end));
    start = std::max(start, done);  // whitespace that the token before took
    if (start > done) parts->push_back({text.substr(done, start - done), -1});
    parts->push_back({text.substr(start, end - start), token.id});
    done = end;
    i = std::max(i, end);
  }
  if (done < text.size()) parts->push_back({text.substr(done), -1});
}

}  // namespace plumb
