#ifndef PLUMB_COMMON_DATA_TOKENIZERS_PRE_TOKENIZER_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_PRE_TOKENIZER_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/data/tokenizers/json_value.h"

namespace plumb {

// Words that a text falls into. They point into the text, or into `owned` where they had to be changed.
struct Words {
  std::vector<absl::string_view> words;
  std::deque<std::string> owned;
};

// The `pre_tokenizer` of tokenizer.json: ByteLevel (only as the last), Split, Digits, Metaspace, and
// sequences of them.
class PreTokenizer {
 public:
  // Null: a text is one word.
  static absl::StatusOr<PreTokenizer> FromJson(const JsonValue& value);

  // `at_start`: the text is the first of all.
  Words Split(absl::string_view text, bool at_start) const;

  // Whether words are bytes that the vocabulary writes in GPT-2's alphabet.
  bool byte_level() const { return byte_level_; }

 private:
  // `first`: whether the first of the words stands at the start of all text.
  using Step = std::function<void(bool first, Words* words)>;

  absl::Status Add(const JsonValue& value, int depth);
  absl::Status AddByteLevel(const JsonValue& value);
  absl::Status AddSplit(const JsonValue& value);
  absl::Status AddDigits(const JsonValue& value);
  absl::Status AddMetaspace(const JsonValue& value);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_PRE_TOKENIZER_H_
