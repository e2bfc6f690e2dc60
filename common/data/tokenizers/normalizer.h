#ifndef PLUMB_COMMON_DATA_TOKENIZERS_NORMALIZER_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_NORMALIZER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/data/tokenizers/json_value.h"

namespace plumb {

// The `normalizer` of tokenizer.json: NFC, NFD, NFKC, NFKD, Prepend, Replace, and sequences of them.
class Normalizer {
 public:
  // Null: nothing is changed.
  static absl::StatusOr<Normalizer> FromJson(const JsonValue& value);

  std::string Normalize(absl::string_view text) const;
  bool empty() const { return steps_.empty(); }

 private:
  absl::Status Add(const JsonValue& value, int depth);

  std::vector<std::function<std::string(absl::string_view)>> steps_;
};

// The `pattern` and `content` of a Replace, which normalizers and decoders both have.
absl::StatusOr<std::function<std::string(absl::string_view)>> ReplaceFromJson(const JsonValue& value);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_NORMALIZER_H_
