#ifndef PLUMB_COMMON_DATA_TOKENIZERS_TOKEN_DECODER_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_TOKEN_DECODER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/data/tokenizers/json_value.h"

namespace plumb {

// The `decoder` of tokenizer.json, which joins tokens to text: ByteLevel, ByteFallback, Fuse, Metaspace,
// Replace, Strip, and sequences of them.
class TokenDecoder {
 public:
  // Null: tokens are joined by spaces.
  static absl::StatusOr<TokenDecoder> FromJson(const JsonValue& value);

  std::string Decode(std::vector<std::string> tokens) const;

 private:
  using Step = std::function<void(std::vector<std::string>* tokens)>;

  absl::Status Add(const JsonValue& value, int depth);
  absl::Status AddStrip(const JsonValue& value);
  absl::Status AddMetaspace(const JsonValue& value);

  std::vector<Step> steps_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_TOKEN_DECODER_H_
