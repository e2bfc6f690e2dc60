#ifndef PLUMB_COMMON_NN_TEXT_STREAM_H_
#define PLUMB_COMMON_NN_TEXT_STREAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace plumb {

class Tokenizer;

// Turns tokens into text as they come. A token's text can depend on its left neighbours (SentencePiece drops
// a leading space) and may end within a character (bytes), so a few tokens are decoded again each time and
// what ends within a character is held back.
class TextStream {
 public:
  // Text is what comes after the prompt.
  TextStream(const Tokenizer& tokenizer, absl::Span<const int64_t> prompt_ids);

  // The text that this token completes; often empty.
  std::string Push(int64_t token_id);
  // What was held back.
  std::string Finish();

 private:
  std::string Take(bool whole_characters);

  const Tokenizer& tokenizer_;
  std::vector<int64_t> window_;  // tokens that are decoded: first those for context
  size_t context_ = 0;           // how many of them have been turned into text
};

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_TEXT_STREAM_H_
