#include "common/data/tokenizer.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/data/tokenizers/sentencepiece_tokenizer.h"
#include "common/data/tokenizers/tokenizer_config.h"
#include "common/data/tokenizers/tokenizer_json.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"

namespace plumb {

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& folder) {
  PLUMB_ASSIGN_OR_RETURN(TokenizerConfig config, ReadTokenizerConfig(folder));
  const std::string json_path = absl::StrCat(folder, "/tokenizer.json");
  if (FileExists(json_path)) {
    PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(json_path));
    return TokenizerFromJson(text, json_path, std::move(config));
  }
  const std::string model_path = absl::StrCat(folder, "/tokenizer.model");
  if (FileExists(model_path)) {
    PLUMB_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(model_path));
    return TokenizerFromSentencePiece(bytes, model_path, std::move(config));
  }
  for (const auto& [vocab, merges] :
       {std::pair("/vocab.json", "/merges.txt"),      // transformers
        std::pair("/encoder.json", "/vocab.bpe")}) {  // GPT-2 as it was published
    if (!FileExists(folder + vocab) || !FileExists(folder + merges)) continue;
    return TokenizerFromVocabAndMerges(folder + vocab, folder + merges, std::move(config));
  }
  return absl::NotFoundError(absl::StrCat(
      folder,
      ": no tokenizer here; expected tokenizer.json, tokenizer.model, or vocab.json with merges.txt"));
}

}  // namespace plumb
