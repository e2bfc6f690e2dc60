#ifndef PLUMB_COMMON_DATA_TOKENIZERS_SENTENCEPIECE_TOKENIZER_H_
#define PLUMB_COMMON_DATA_TOKENIZERS_SENTENCEPIECE_TOKENIZER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/data/tokenizer.h"
#include "common/data/tokenizers/tokenizer_config.h"

namespace plumb {

// A tokenizer from the bytes of a tokenizer.model: SentencePiece's BPE without text normalisation, as
// Llama-2, Mistral and TinyLlama have it, by the conventions of transformers' LlamaTokenizer:
//   - BOS is added and EOS is not, unless add_bos_token and add_eos_token say otherwise;
//   - control pieces and the tokens of `config` are recognised in text;
//   - a space comes before the text; with `legacy` (the default, as in the tokenizer.json of Llama-2) also
//     before what follows a special token. Without, none is added where one stands already.
// Texts get the ids that SentencePiece gives them. Other models (Unigram) and normalisation are
// Unimplemented.
absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromSentencePiece(absl::string_view bytes,
                                                                      const std::string& path,
                                                                      TokenizerConfig config);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TOKENIZERS_SENTENCEPIECE_TOKENIZER_H_
