#ifndef PLUMB_COMMON_DATA_LLAMA2C_TOKENIZER_H_
#define PLUMB_COMMON_DATA_LLAMA2C_TOKENIZER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// The files of a Hugging Face folder that a llama2.c tokenizer becomes.
struct Llama2cTokenizerFiles {
  std::string model;        // tokenizer.model: a SentencePiece BPE model
  std::string config_json;  // tokenizer_config.json of a LlamaTokenizer
};

// From the bytes of a llama2.c tokenizer (tokenizer.bin, tok512.bin): int32 length of the longest piece, then
// for each piece float score, int32 length, bytes, with ' ' for SentencePiece's '▁'. The first three are
// unknown, begin and end, the next 256 the bytes. `path` is for messages.
absl::StatusOr<Llama2cTokenizerFiles> ConvertLlama2cTokenizer(absl::string_view bytes,
                                                              const std::string& path);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_LLAMA2C_TOKENIZER_H_
