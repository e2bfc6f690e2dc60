#ifndef PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_CONFIG_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_CONFIG_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/data/tokenizers/added_tokens.h"

namespace plumb {

// What stands beside a vocabulary: tokenizer_config.json, special_tokens_map.json, added_tokens.json,
// chat_template.jinja. Each may be missing.
struct TokenizerConfig {
  std::string folder;  // where they are
  std::string tokenizer_class;
  std::string chat_template;  // the one named "default" where there are several
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  std::optional<std::string> unk_token;
  std::vector<AddedToken>
      special_tokens;  // every token named above, pad_token and additional ones; ids unknown
  std::vector<AddedToken> added_tokens;  // of added_tokens_decoder and added_tokens.json, with ids
  std::optional<bool> add_bos_token;
  std::optional<bool> add_eos_token;
  std::optional<bool> add_prefix_space;
  std::optional<bool> legacy;
  // The files as they came: name and bytes.
  std::vector<std::pair<std::string, std::string>> files;
};

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const std::string& folder);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_CONFIG_H_
