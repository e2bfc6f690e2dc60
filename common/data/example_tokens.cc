#include "common/data/example_tokens.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Tokens = std::vector<int64_t>;

size_t CommonPrefix(const Tokens& a, const Tokens& b) {
  const size_t shorter = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + shorter, b.begin()).first - a.begin();
}

bool IsEmpty(const Content& content) {
  return std::visit([](const auto& value) { return value.empty(); }, content);
}

// The gold answer in the form of the other two.
Content GoldAnswer(const PreferenceExample& example) {
  if (std::holds_alternative<std::string>(example.chosen)) return example.reference_answer;
  return std::vector<ChatMessage>{{"assistant", example.reference_answer, "", ""}};
}

Tokens From(const Tokens& tokens, size_t begin) { return Tokens(tokens.begin() + begin, tokens.end()); }

// Cuts what is beyond `length` tokens, or their flags.
template <typename T>
void CutEnd(std::vector<T>* tokens, int64_t length) {
  if (static_cast<int64_t>(tokens->size()) > length) tokens->resize(std::max<int64_t>(length, 0));
}

// Whether some token of `answer` is predicted: the first of all, which follows nothing, is not.
bool HasPredictedToken(const Tokens& prompt, const Tokens& answer) {
  return answer.size() > (prompt.empty() ? 1 : 0);
}

template <typename T>
void CutStart(std::vector<T>* tokens, int64_t length) {
  const int64_t excess = static_cast<int64_t>(tokens->size()) - std::max<int64_t>(length, 0);
  if (excess > 0) tokens->erase(tokens->begin(), tokens->begin() + excess);
}

// Text of tokens, and which of them a byte of it begins in.
class TokenText {
 public:
  TokenText(const Tokenizer& tokenizer, const Tokens& ids)
      : tokenizer_(tokenizer), ids_(ids), text_(tokenizer.Decode(ids, /*skip_special_tokens=*/false)) {}

  const std::string& text() const { return text_; }

  // The first token before which at least `bytes` of the text stand.
  size_t TokenAt(size_t bytes) const {
    size_t low = 0, high = ids_.size();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (BytesBefore(middle) >= bytes) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

 private:
  // What ends within a character decodes to something else than the text's: it does not count.
  size_t BytesBefore(size_t token) const {
    const std::string start =
        tokenizer_.Decode(absl::MakeConstSpan(ids_).first(token), /*skip_special_tokens=*/false);
    const size_t shorter = std::min(start.size(), text_.size());
    return std::mismatch(start.begin(), start.begin() + shorter, text_.begin()).first - start.begin();
  }

  const Tokenizer& tokenizer_;
  const Tokens& ids_;
  std::string text_;
};

// Runs `convert` on every example with all cores; an example whose result has nothing to learn is dropped. Of
// several errors the first example's is told, whichever thread met its own first.
template <typename Example, typename Result>
absl::StatusOr<std::vector<Result>> ForAll(
    absl::Span<const Example> examples, TokenizationCounts* counts,
    const std::function<absl::StatusOr<Result>(const Example&, TokenizationCounts*)>& convert,
    const std::function<bool(const Result&)>& learnable) {
  std::vector<absl::StatusOr<Result>> results(examples.size(), absl::UnknownError(""));
  const size_t threads =
      std::max<size_t>(1, std::min<size_t>(std::thread::hardware_concurrency(), examples.size() / 64));
  std::vector<TokenizationCounts> own_counts(examples.size());
  std::atomic<size_t> next(0);
  const auto work = [&] {
    for (size_t i = next++; i < examples.size(); i = next++)
      results[i] = convert(examples[i], &own_counts[i]);
  };
  std::vector<std::thread> others;
  for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();

  std::vector<Result> kept;
  kept.reserve(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!results[i].ok()) {
      return absl::Status(results[i].status().code(),
                          absl::StrCat(examples[i].where, ": ", results[i].status().message()));
    }
    if (!learnable(*results[i])) {
      ++counts->dropped;
      continue;
    }
    kept.push_back(*std::move(results[i]));
    counts->truncated += own_counts[i].truncated;
    counts->unaligned += own_counts[i].unaligned;
  }
  return kept;
}

}  // namespace

absl::StatusOr<Tokens> ExampleTokenizer::Render(const std::vector<ChatMessage>& messages,
                                                bool add_generation_prompt, const std::string& tools) const {
  if (renderer_ == nullptr) {
    return absl::InvalidArgumentError(
        "a conversation, but no chat template to write it with: the tokenizer has none, or chat_template is "
        "none; name one in chat_template");
  }
  PLUMB_ASSIGN_OR_RETURN(const std::string text, renderer_(messages, add_generation_prompt, tools));
  return tokenizer_.Encode(text, /*add_special_tokens=*/false);
}

absl::StatusOr<Tokens> ExampleTokenizer::PlainText(const std::string& text, const std::string& tools) const {
  if (!tools.empty())
    return absl::InvalidArgumentError("tools, but no conversation that a template puts them in");
  return tokenizer_.Encode(text, /*add_special_tokens=*/true);
}

absl::StatusOr<Tokens> ExampleTokenizer::Prompt(const Content& prompt, const std::string& tools) const {
  if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&prompt))
    return Render(*messages, true, tools);
  return PlainText(std::get<std::string>(prompt), tools);
}

absl::StatusOr<Tokens> ExampleTokenizer::WithAnswer(const Content& prompt, const Content& answer,
                                                    const std::string& tools) const {
  if (const auto* answer_messages = std::get_if<std::vector<ChatMessage>>(&answer)) {
    std::vector<ChatMessage> messages;
    if (const auto* prompt_messages = std::get_if<std::vector<ChatMessage>>(&prompt)) {
      messages = *prompt_messages;
    } else if (!IsEmpty(prompt)) {
      return absl::InvalidArgumentError("the prompt is text, but its answer is a list of messages");
    }
    messages.insert(messages.end(), answer_messages->begin(), answer_messages->end());
    return Render(messages, false, tools);
  }
  if (!std::holds_alternative<std::string>(prompt)) {
    return absl::InvalidArgumentError("the prompt is a list of messages, but its answer is text");
  }
  std::string text = absl::StrCat(std::get<std::string>(prompt), std::get<std::string>(answer));
  if (const auto eos = tokenizer_.eos_token_id(); eos.has_value()) {
    const std::string eos_text = tokenizer_.Decode({*eos}, /*skip_special_tokens=*/false);
    if (!absl::EndsWith(std::get<std::string>(answer), eos_text)) text += eos_text;
  }
  return PlainText(text, tools);
}

absl::StatusOr<std::vector<bool>> ExampleTokenizer::Mask(const Tokens& answer,
                                                         const std::vector<Sentence>& sentences,
                                                         absl::string_view column) const {
  if (sentences.empty()) return std::vector<bool>();
  const TokenText tokens(tokenizer_, answer);
  std::vector<bool> mask(answer.size(), true);
  size_t end = 0;  // of the sentence before, in bytes
  for (size_t i = 0; i < sentences.size(); ++i) {
    const absl::string_view sentence = absl::StripAsciiWhitespace(sentences[i].text);
    const size_t place = tokens.text().find(sentence.data(), end, sentence.size());
    if (place == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("column '", column, "', ", i,
                                                     ": not found in the answer", i > 0 ? " after " : "",
                                                     i > 0 ? absl::StrCat(i - 1) : ""));
    }
    const size_t begin = end;  // what stands between two sentences goes with the second
    end = place + sentence.size();
    if (sentences[i].counts) continue;
    const size_t first = tokens.TokenAt(begin), last = tokens.TokenAt(end);
    std::fill(mask.begin() + first, mask.begin() + last, false);
  }
  return mask;
}

absl::StatusOr<TokenizedPreference> ExampleTokenizer::Preference(const PreferenceExample& example,
                                                                 TokenizationCounts* counts) const {
  PLUMB_ASSIGN_OR_RETURN(const Tokens prompt, Prompt(example.prompt, example.tools));
  PLUMB_ASSIGN_OR_RETURN(const Tokens chosen, WithAnswer(example.prompt, example.chosen, example.tools));
  PLUMB_ASSIGN_OR_RETURN(const Tokens rejected, WithAnswer(example.prompt, example.rejected, example.tools));
  size_t start = std::min(CommonPrefix(prompt, chosen), CommonPrefix(prompt, rejected));
  Tokens gold;
  if (!example.reference_answer.empty()) {
    PLUMB_ASSIGN_OR_RETURN(gold, WithAnswer(example.prompt, GoldAnswer(example), example.tools));
    start = std::min(start, CommonPrefix(prompt, gold));
  }
  if (start < prompt.size()) ++counts->unaligned;

  TokenizedPreference result;
  result.prompt_ids.assign(prompt.begin(), prompt.begin() + start);
  result.chosen_ids = From(chosen, start);
  result.rejected_ids = From(rejected, start);
  if (!gold.empty()) result.gold_ids = From(gold, start);
  result.margin = example.margin;
  result.ref_chosen_logps = example.ref_chosen_logps;
  result.ref_rejected_logps = example.ref_rejected_logps;
  result.score_chosen = example.score_chosen;
  result.score_rejected = example.score_rejected;
  PLUMB_ASSIGN_OR_RETURN(result.chosen_mask,
                         Mask(result.chosen_ids, example.chosen_sentences, "chosen_sentences"));
  PLUMB_ASSIGN_OR_RETURN(result.rejected_mask,
                         Mask(result.rejected_ids, example.rejected_sentences, "rejected_sentences"));

  const int64_t longest = std::max({chosen.size(), rejected.size(), gold.size()});
  if (longest <= config_.max_length()) return result;
  ++counts->truncated;
  if (config_.truncation_mode() == DataConfig::KEEP_START) {
    const int64_t room = config_.max_length() - static_cast<int64_t>(start);
    CutEnd(&result.chosen_ids, room);
    CutEnd(&result.rejected_ids, room);
    CutEnd(&result.gold_ids, room);
    CutEnd(&result.chosen_mask, room);
    CutEnd(&result.rejected_mask, room);
  } else {
    CutStart(&result.chosen_ids, config_.max_length());
    CutStart(&result.rejected_ids, config_.max_length());
    CutStart(&result.gold_ids, config_.max_length());
    CutStart(&result.chosen_mask, config_.max_length());
    CutStart(&result.rejected_mask, config_.max_length());
    CutStart(&result.prompt_ids, config_.max_length() - (longest - static_cast<int64_t>(start)));
  }
  return result;
}

absl::StatusOr<TokenizedText> ExampleTokenizer::Text(const Content& prompt, const Content& completion,
                                                     const std::string& tools,
                                                     TokenizationCounts* counts) const {
  PLUMB_ASSIGN_OR_RETURN(const Tokens whole, WithAnswer(prompt, completion, tools));
  size_t start = 0;
  if (config_.completion_only_loss() && !IsEmpty(prompt)) {
    PLUMB_ASSIGN_OR_RETURN(const Tokens alone, Prompt(prompt, tools));
    start = CommonPrefix(alone, whole);
    if (start < alone.size()) ++counts->unaligned;
  }
  TokenizedText result{Tokens(whole.begin(), whole.begin() + start), From(whole, start)};
  const int64_t length = whole.size();
  if (length > config_.max_length()) {
    ++counts->truncated;
    if (config_.truncation_mode() == DataConfig::KEEP_START) {
      CutEnd(&result.completion_ids, config_.max_length() - static_cast<int64_t>(start));
    } else {
      CutStart(&result.completion_ids, config_.max_length());
      CutStart(&result.prompt_ids, config_.max_length() - static_cast<int64_t>(result.completion_ids.size()));
    }
  }
  return result;
}

absl::StatusOr<std::vector<TokenizedPreference>> ExampleTokenizer::Preferences(
    absl::Span<const PreferenceExample> examples, TokenizationCounts* counts) const {
  return ForAll<PreferenceExample, TokenizedPreference>(
      examples, counts,
      [this](const PreferenceExample& example, TokenizationCounts* own) { return Preference(example, own); },
      [](const TokenizedPreference& pair) {
        return HasPredictedToken(pair.prompt_ids, pair.chosen_ids) &&
               HasPredictedToken(pair.prompt_ids, pair.rejected_ids) &&
               (pair.gold_ids.empty() || HasPredictedToken(pair.prompt_ids, pair.gold_ids));
      });
}

absl::StatusOr<std::vector<TokenizedText>> ExampleTokenizer::Texts(absl::Span<const TextExample> examples,
                                                                   TokenizationCounts* counts) const {
  return ForAll<TextExample, TokenizedText>(
      examples, counts,
      [this](const TextExample& example, TokenizationCounts* own) {
        return Text(example.prompt, example.completion, example.tools, own);
      },
      [](const TokenizedText& text) { return HasPredictedToken(text.prompt_ids, text.completion_ids); });
}

absl::StatusOr<std::vector<TokenizedAnswer>> ExampleTokenizer::Unpaired(
    absl::Span<const UnpairedExample> examples, TokenizationCounts* counts) const {
  return ForAll<UnpairedExample, TokenizedAnswer>(
      examples, counts,
      [this](const UnpairedExample& example, TokenizationCounts* own) -> absl::StatusOr<TokenizedAnswer> {
        PLUMB_ASSIGN_OR_RETURN(TokenizedText text,
                               Text(example.prompt, example.completion, example.tools, own));
        return TokenizedAnswer{std::move(text), example.label, example.weight};
      },
      [](const TokenizedAnswer& answer) {
        return HasPredictedToken(answer.text.prompt_ids, answer.text.completion_ids);
      });
}

}  // namespace plumb
