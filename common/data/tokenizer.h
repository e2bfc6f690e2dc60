#ifndef PLUMB_COMMON_DATA_TOKENIZER_H_
#define PLUMB_COMMON_DATA_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace plumb {

// Text to token ids and back. Thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Special tokens in the text are recognised. With add_special_tokens, what the tokenizer puts around a text
  // (e.g. BOS) is put.
  virtual std::vector<int64_t> Encode(absl::string_view text, bool add_special_tokens) const = 0;
  virtual std::string Decode(absl::Span<const int64_t> ids, bool skip_special_tokens) const = 0;

  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int64_t> TokenToId(absl::string_view token) const = 0;
  virtual std::optional<int64_t> bos_token_id() const = 0;
  virtual std::optional<int64_t> eos_token_id() const = 0;

  // The text of chat_template in tokenizer_config.json; empty when there is none.
  virtual const std::string& chat_template() const = 0;

  // Writes tokenizer.json or tokenizer.model and tokenizer_config.json, as they came, into the existing
  // folder.
  virtual absl::Status Save(const std::string& folder) const = 0;
};

// From a Hugging Face folder (tokenizer.json, else tokenizer.model; tokenizer_config.json,
// special_tokens_map.json if there).
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& folder);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZER_H_
