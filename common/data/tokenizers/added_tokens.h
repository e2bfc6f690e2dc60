#ifndef PLUMB_COMMON_DATA_TOKENIZERS_ADDED_TOKENS_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_ADDED_TOKENS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plumb {

// A token that is found in the text before anything else looks at it.
struct AddedToken {
  std::string content;
  int64_t id = -1;           // -1: not known yet
  bool special = false;      // left out of decoded text on demand
  bool normalized = false;   // looked for in the normalised text
  bool single_word = false;  // not within a word
  bool lstrip = false;       // takes the whitespace before it along
  bool rstrip = false;       // takes the whitespace after it along
};

// A part of the text: an added token, or what is between two.
struct TextPart {
  absl::string_view text;
  int64_t id = -1;  // of the added token; -1 for text
};

// Splits a text at added tokens: the leftmost first, the longest of those that start there.
class AddedTokenFinder {
 public:
  // `contents`: as they stand in the text, which for normalized tokens is the normalised content.
  void Add(const std::string& content, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // Appends the parts, none of them empty text.
  void Split(absl::string_view text, std::vector<TextPart>* parts) const;

 private:
  int LongestAt(absl::string_view text, size_t* length) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> first_ = {};                  // bytes that a token starts with
  absl::flat_hash_map<uint64_t, uint32_t> children_;  // a trie: node << 8 | byte -> node
  std::vector<int> token_of_node_ = {-1};
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_ADDED_TOKENS_H_
