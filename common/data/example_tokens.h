#ifndef PLUMB_COMMON_DATA_EXAMPLE_TOKENS_H_
#define PLUMB_COMMON_DATA_EXAMPLE_TOKENS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/data/data.pb.h"
#include "common/data/examples.h"
#include "common/data/tokenizer.h"

namespace plumb {

// Turns messages into text by a chat template; with add_generation_prompt the text ends where an answer
// begins. `tools` is JSON, empty when there are none.
using ChatRenderer = std::function<absl::StatusOr<std::string>(
    const std::vector<ChatMessage>& messages, bool add_generation_prompt, const std::string& tools)>;

// What became of a set of examples.
struct TokenizationCounts {
  int64_t dropped = 0;    // left out: within max_length an answer has no token that is predicted
  int64_t truncated = 0;  // kept, but cut to max_length
  int64_t unaligned = 0;  // kept; the tokens of the prompt alone are not those with which both begin
};

// Tokens of examples, by the rules of TRL 1.16 (DPOTrainer, SFTTrainer):
//   - prompt and answer are tokenised as one text; the answer starts where its tokens part from those of the
//   prompt alone (for a
//     pair: where the first of its two answers does), so a token that spans the boundary belongs to the
//     answer;
//   - plain text gets the end-of-sequence token unless it ends in it; conversations get what their template
//   writes;
//   - KEEP_START cuts the end. An example whose prompt alone fills max_length is dropped, unless its prompt
//   is learnt too;
//   - KEEP_END cuts the start. TRL cuts each answer's copy of the prompt by itself, so that the answers of a
//   pair follow different
//     prompts; here both follow the same one, cut so that the longer answer fits.
// Rows are worked on by all cores; results are in the order of the examples.
class ExampleTokenizer {
 public:
  // `tokenizer` must outlive this. A null `renderer` refuses conversations.
  ExampleTokenizer(const Tokenizer& tokenizer, ChatRenderer renderer, const DataConfig& config)
      : tokenizer_(tokenizer), renderer_(std::move(renderer)), config_(config) {}

  absl::StatusOr<std::vector<TokenizedPreference>> Preferences(absl::Span<const PreferenceExample> examples,
                                                               TokenizationCounts* counts) const;
  absl::StatusOr<std::vector<TokenizedText>> Texts(absl::Span<const TextExample> examples,
                                                   TokenizationCounts* counts) const;
  // Label and weight go with the text.
  absl::StatusOr<std::vector<TokenizedAnswer>> Unpaired(absl::Span<const UnpairedExample> examples,
                                                        TokenizationCounts* counts) const;

  // Tokens of a prompt alone, as generation begins with them.
  absl::StatusOr<std::vector<int64_t>> Prompt(const Content& prompt, const std::string& tools = "") const;

 private:
  absl::StatusOr<std::vector<int64_t>> WithAnswer(const Content& prompt, const Content& answer,
                                                  const std::string& tools) const;
  absl::StatusOr<std::vector<int64_t>> PlainText(const std::string& text, const std::string& tools) const;
  absl::StatusOr<TokenizedText> Text(const Content& prompt, const Content& completion,
                                     const std::string& tools, TokenizationCounts* counts) const;
  // Whether each token of an answer counts, by the sentence that its first character is in. What stands
  // before a sentence goes with it, what comes after the last one counts.
  absl::StatusOr<std::vector<bool>> Mask(const std::vector<int64_t>& answer,
                                         const std::vector<Sentence>& sentences,
                                         absl::string_view column) const;
  absl::StatusOr<TokenizedPreference> Preference(const PreferenceExample& example,
                                                 TokenizationCounts* counts) const;
  absl::StatusOr<std::vector<int64_t>> Render(const std::vector<ChatMessage>& messages,
                                              bool add_generation_prompt, const std::string& tools) const;

  const Tokenizer& tokenizer_;
  ChatRenderer renderer_;
  DataConfig config_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_EXAMPLE_TOKENS_H_
