#ifndef PLUMB_COMMON_DATA_EXAMPLES_H_
#define PLUMB_COMMON_DATA_EXAMPLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace plumb {

struct ChatMessage {
  std::string role;
  std::string content;
  std::string name;        // of a tool's answer
  std::string tool_calls;  // JSON, empty when there are none
};

// A prompt or an answer: plain text, or messages that a chat template turns into text.
using Content = std::variant<std::string, std::vector<ChatMessage>>;

// A piece of an answer, and whether objectives that look at parts of answers count it.
struct Sentence {
  std::string text;
  bool counts = true;
};

// Rows as people write them, whatever the columns were called. `where` is file:line, for messages.
struct PreferenceExample {
  Content prompt;  // may be empty
  Content chosen;
  Content rejected;
  std::optional<double> margin;
  std::optional<double> ref_chosen_logps;
  std::optional<double> ref_rejected_logps;
  std::string reference_answer;  // `reference` of triple preference data
  std::vector<double> score_chosen;
  std::vector<double> score_rejected;
  std::vector<Sentence> chosen_sentences;
  std::vector<Sentence> rejected_sentences;
  std::string tools;  // JSON, empty when there are none
  std::string where;
};

struct TextExample {
  Content prompt;  // empty: the whole text is learnt
  Content completion;
  std::string tools;
  std::string where;
};

struct UnpairedExample {
  Content prompt;
  Content completion;
  bool label = false;
  std::string tools;
  std::string where;
  std::optional<double> weight = std::nullopt;  // of its loss
};

struct StepwiseExample {
  std::string prompt;
  std::vector<std::string> completions;
  std::vector<bool> labels;
  std::string where;
};

// What generation begins with.
struct PromptExample {
  Content prompt;
  std::string tools;
  std::string where;
};

// Tokens of a pair. prompt + chosen and prompt + rejected are the two whole sequences.
struct TokenizedPreference {
  std::vector<int64_t> prompt_ids;
  std::vector<int64_t> chosen_ids;
  std::vector<int64_t> rejected_ids;
  std::vector<int64_t> gold_ids;  // of triple data, whose third sequence is prompt + gold; else empty
  std::optional<double> margin;
  std::optional<double> ref_chosen_logps;
  std::optional<double> ref_rejected_logps;
  std::vector<double> score_chosen;
  std::vector<double> score_rejected;
  // Of a prompt that asks for a direction: how much of each reward, and the prompt without that. Else empty.
  std::vector<double> reward_direction;
  std::vector<int64_t> undirected_prompt_ids;
  std::vector<bool>
      chosen_mask;  // whether each token of chosen_ids counts; empty where the data does not say
  std::vector<bool> rejected_mask;
  std::optional<bool> label;     // of an answer without a pair, which stands as the chosen one
  std::optional<double> weight;  // of such an answer's loss
};

struct TokenizedText {
  std::vector<int64_t> prompt_ids;      // not learnt
  std::vector<int64_t> completion_ids;  // learnt
};

struct TokenizedAnswer {
  TokenizedText text;
  bool label = false;
  std::optional<double> weight;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_EXAMPLES_H_
