#ifndef PLUMB_COMMON_DATA_BPE_TRAINER_H_
#define PLUMB_COMMON_DATA_BPE_TRAINER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace plumb {

// Learns the merges of a byte-level BPE (Sennrich et al. 2016, arXiv 1508.07909, over GPT-2's bytes and
// splitting rule). The same texts give the same tokenizer as BpeTrainer of Hugging Face's tokenizers with the
// ByteLevel pre-tokeniser and alphabet: special tokens take the first ids, then the 256 byte characters, then
// merges by falling count; ties go to the pair of the smaller ids.
class BpeTrainer {
 public:
  // Adds the words of a text to the counts. The text must be UTF-8.
  absl::Status Add(absl::string_view text);

  struct Vocabulary {
    std::vector<std::string> tokens;                          // by id, spelt in GPT-2's byte characters
    std::vector<std::pair<std::string, std::string>> merges;  // in the order learnt
  };
  // Fewer than `vocab_size` tokens come out when the texts have no more pairs to merge; a size below the
  // special tokens and bytes is an error.
  absl::StatusOr<Vocabulary> Train(int64_t vocab_size, absl::Span<const std::string> special_tokens) const;

 private:
  absl::flat_hash_map<std::string, int64_t> word_counts_;  // words in GPT-2's byte characters
};

// The files of a new tokenizer with ChatML's special tokens: <|endoftext|> (padding), <|im_start|>,
// <|im_end|> (end of sequence). transformers opens the folder that holds them.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
};
absl::StatusOr<TokenizerFiles> TrainChatTokenizer(const BpeTrainer& trainer, int64_t vocab_size,
                                                  int64_t model_max_length);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_BPE_TRAINER_H_
