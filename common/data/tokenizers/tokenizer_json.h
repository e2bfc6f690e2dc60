#ifndef PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_JSON_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_JSON_H_

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/tokenizer_config.h"

namespace plumb {

// A tokenizer from the text of a tokenizer.json whose model is BPE. It gives the ids that Hugging Face's
// tokenizers library gives for the same file, with the tokens that `config` adds as transformers adds them.
// `truncation` and `padding` of the file do not count: whoever makes batches decides those, as in
// transformers. What is not supported is an Unimplemented error that names the field; `path` is for messages.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromJson(absl::string_view text, const std::string& path,
                                                             TokenizerConfig config);

// The same from a document of that format in memory; `files` (name and bytes) are what Save writes for it.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromDocument(
    const nlohmann::json& document, const std::string& path, TokenizerConfig config,
    std::vector<std::pair<std::string, std::string>> files);

// The same from vocab.json and merges.txt, the older pair of files (GPT-2, Qwen2). The tokenizer_class of
// `config` says how text is split; without one it is GPT-2's.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromVocabAndMerges(const std::string& vocab_path,
                                                                       const std::string& merges_path,
                                                                       TokenizerConfig config);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_TOKENIZER_JSON_H_
