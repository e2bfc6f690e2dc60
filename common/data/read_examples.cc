#include "common/data/read_examples.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/data/records.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Messages = std::vector<ChatMessage>;

// The columns of a record. One that is null counts as not there: Parquet gives every record every column.
class Columns {
 public:
  explicit Columns(const Record& record) : record_(record) {}

  const Record* Find(absl::string_view name) const {
    const auto& object = record_.get_ref<const Record::object_t&>();
    for (const auto& [column, value] : object) {
      if (column == name) return value.is_null() ? nullptr : &value;
    }
    return nullptr;
  }
  bool Has(absl::string_view name) const { return Find(name) != nullptr; }
  // The first of two names that is there.
  absl::string_view AnyOf(absl::string_view name, absl::string_view other) const {
    return Has(name) ? name : Has(other) ? other : "";
  }

  absl::Status ExpectedError(absl::string_view expected) const {
    std::string found;
    for (const auto& [column, value] : record_.get_ref<const Record::object_t&>()) {
      if (value.is_null()) continue;
      const absl::string_view separator = found.empty() ? "" : ", ";
      if (found.size() + column.size() > 200) {
        absl::StrAppend(&found, separator, "...");
        break;
      }
      absl::StrAppend(&found, separator, absl::Utf8SafeCEscape(column));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("expected the columns ", expected, "; found ", found.empty() ? "none" : found));
  }

 private:
  const Record& record_;
};

absl::Status WrongType(absl::string_view column, absl::string_view expected, const Record& value) {
  return absl::InvalidArgumentError(
      absl::StrCat("column '", column, "': expected ", expected, ", found ", value.type_name()));
}

// ---- Values ----

absl::StatusOr<std::string> ReadString(const Columns& columns, absl::string_view name) {
  const Record* value = columns.Find(name);
  if (value == nullptr) return "";
  if (!value->is_string()) return WrongType(name, "a string", *value);
  return value->get<std::string>();
}

absl::StatusOr<std::optional<double>> ReadNumber(const Columns& columns, absl::string_view name) {
  const Record* value = columns.Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    return WrongType(name, "a finite number", *value);
  return value->get<double>();
}

// A number, or a list of them.
absl::StatusOr<std::vector<double>> ReadNumbers(const Columns& columns, absl::string_view name) {
  const Record* value = columns.Find(name);
  std::vector<double> numbers;
  if (value == nullptr) return numbers;
  const size_t count = value->is_array() ? value->size() : 1;
  for (size_t i = 0; i < count; ++i) {
    const Record& number = value->is_array() ? (*value)[i] : *value;
    if (!number.is_number() || !std::isfinite(number.get<double>()))
      return WrongType(name, "finite numbers", number);
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

absl::StatusOr<bool> AsLabel(const Record& value, absl::string_view column) {
  if (value.is_boolean()) return value.get<bool>();
  if (value == 0 || value == 1) return value == 1;
  return WrongType(column, "true or false", value);
}

// A list as JSON text; text that is JSON already stays as it is. Empty when there is nothing in it.
absl::StatusOr<std::string> AsJsonText(const Record& value, absl::string_view column) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return WrongType(column, "a list, or one as JSON text", value);
  return value.empty() ? "" : value.dump();
}

absl::StatusOr<std::string> ReadTools(const Columns& columns) {
  const Record* value = columns.Find("tools");
  if (value == nullptr) return "";
  return AsJsonText(*value, "tools");
}

// ---- Messages ----

absl::Status FieldError(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("'", field, "': expected ", expected));
}

// Text, or a list of parts {"type": "text", "text": ...}.
absl::StatusOr<std::string> ReadMessageText(const Record& value, absl::string_view field) {
  if (value.is_string()) return value.get<std::string>();
  std::string text;
  if (!value.is_array()) return FieldError(field, absl::StrCat("text, found ", value.type_name()));
  for (const Record& part : value) {
    const Record* part_text = part.is_object() ? Columns(part).Find("text") : nullptr;
    if (part_text == nullptr || !part_text->is_string())
      return FieldError(field, "text parts alone (no images)");
    text += part_text->get_ref<const std::string&>();
  }
  return text;
}

// ShareGPT's names for roles.
std::string RoleOf(const std::string& name) {
  if (name == "human") return "user";
  if (name == "gpt" || name == "function_call") return "assistant";
  if (name == "observation") return "tool";
  return name;
}

// {"role", "content"}, or ShareGPT's {"from", "value"}, whose function_call holds the call as JSON.
absl::StatusOr<ChatMessage> ReadMessage(const Record& value) {
  if (!value.is_object()) return absl::InvalidArgumentError("expected {\"role\": ..., \"content\": ...}");
  const Columns fields(value);
  const absl::string_view role_field = fields.AnyOf("role", "from");
  const absl::string_view content_field = fields.AnyOf("content", "value");
  if (role_field.empty()) return fields.ExpectedError("role and content");
  ChatMessage message;
  PLUMB_ASSIGN_OR_RETURN(const std::string role, ReadString(fields, role_field));
  message.role = RoleOf(role);
  PLUMB_ASSIGN_OR_RETURN(message.name, ReadString(fields, "name"));
  if (const Record* calls = fields.Find("tool_calls")) {
    PLUMB_ASSIGN_OR_RETURN(message.tool_calls, AsJsonText(*calls, "tool_calls"));
  }
  if (content_field.empty()) {
    if (message.tool_calls.empty()) return fields.ExpectedError("role and content");
    return message;
  }
  PLUMB_ASSIGN_OR_RETURN(message.content, ReadMessageText(*fields.Find(content_field), content_field));
  if (role == "function_call") {
    // Checked, not made a value: text in a record may nest deeper than a record.
    if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(message.content), "{") ||
        !Record::accept(message.content)) {
      return FieldError(content_field, "a call {\"name\": ..., \"arguments\": ...} as JSON");
    }
    message.tool_calls = absl::StrCat("[{\"type\":\"function\",\"function\":", message.content, "}]");
    message.content.clear();
  }
  return message;
}

absl::StatusOr<Content> ReadContent(const Columns& columns, absl::string_view name) {
  return plumb::ReadContent(*columns.Find(name), name);
}

absl::StatusOr<Messages> ReadMessages(const Columns& columns, absl::string_view name) {
  PLUMB_ASSIGN_OR_RETURN(Content content, ReadContent(columns, name));
  if (!std::holds_alternative<Messages>(content))
    return WrongType(name, "a list of messages", *columns.Find(name));
  return std::get<Messages>(std::move(content));
}

// ---- Prompts and answers ----

bool IsText(const Content& content) { return std::holds_alternative<std::string>(content); }

bool IsEmpty(const Content& content) {
  return std::visit([](const auto& value) { return value.empty(); }, content);
}

// Text becomes a message of `role`; no text, no message.
Messages AsMessages(Content content, const std::string& role) {
  if (!IsText(content)) return std::get<Messages>(std::move(content));
  if (IsEmpty(content)) return {};
  return {{role, std::get<std::string>(std::move(content)), "", ""}};
}

// A prompt and its answers are all text or all messages afterwards.
void MakeAlike(Content* prompt, std::initializer_list<Content*> answers) {
  const auto is_text = [](const Content* answer) { return IsText(*answer); };
  if (IsText(*prompt) && std::all_of(answers.begin(), answers.end(), is_text)) return;
  *prompt = AsMessages(std::move(*prompt), "user");
  for (Content* answer : answers) {
    if (IsText(*answer)) *answer = Messages{{"assistant", std::get<std::string>(std::move(*answer)), "", ""}};
  }
}

// The `system` column makes the prompt a conversation that begins with it.
absl::Status AddSystem(const Columns& columns, Content* prompt) {
  PLUMB_ASSIGN_OR_RETURN(std::string system, ReadString(columns, "system"));
  if (system.empty()) return absl::OkStatus();
  Messages messages = AsMessages(std::move(*prompt), "user");
  if (!messages.empty() && messages[0].role == "system") {
    return absl::InvalidArgumentError(
        "column 'system': the conversation begins with a system message already");
  }
  messages.insert(messages.begin(), {"system", std::move(system), "", ""});
  *prompt = std::move(messages);
  return absl::OkStatus();
}

// Alpaca's columns: earlier turns in `history`, then `instruction` and `input`, a line each.
absl::StatusOr<Messages> ReadInstruction(const Columns& columns) {
  Messages messages;
  if (const Record* history = columns.Find("history")) {
    for (const Record& turn : *history) {
      if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) {
        return WrongType("history", "pairs [instruction, output] of text", turn);
      }
      messages.push_back({"user", turn[0].get<std::string>(), "", ""});
      messages.push_back({"assistant", turn[1].get<std::string>(), "", ""});
    }
  }
  PLUMB_ASSIGN_OR_RETURN(std::string text, ReadString(columns, "instruction"));
  PLUMB_ASSIGN_OR_RETURN(const std::string input, ReadString(columns, "input"));
  if (!input.empty()) absl::StrAppend(&text, text.empty() ? "" : "\n", input);
  messages.push_back({"user", std::move(text), "", ""});
  return messages;
}

// The column of a conversation, or "".
absl::string_view ConversationColumn(const Columns& columns) {
  return columns.AnyOf("messages", "conversations");
}

// What stands before an answer, without the system column; nothing when no column says it.
absl::StatusOr<std::optional<Content>> ReadPrompt(const Columns& columns) {
  if (columns.Has("prompt")) return ReadContent(columns, "prompt");
  if (const auto column = ConversationColumn(columns); !column.empty()) return ReadMessages(columns, column);
  if (columns.Has("instruction")) return ReadInstruction(columns);
  return std::nullopt;
}

bool IsSame(const ChatMessage& a, const ChatMessage& b) {
  return a.role == b.role && a.content == b.content && a.name == b.name && a.tool_calls == b.tool_calls;
}

bool IsWithinCharacter(absl::string_view text, size_t i) {
  return i < text.size() && (text[i] & 0xc0) == 0x80;
}

// How much of two texts is their prompt: their common start, less a space at its end (which belongs to the
// first word of the answers).
size_t SharedLength(absl::string_view a, absl::string_view b) {
  const size_t shorter = std::min(a.size(), b.size());
  size_t length = std::mismatch(a.begin(), a.begin() + shorter, b.begin()).first - a.begin();
  while (IsWithinCharacter(a, length) || IsWithinCharacter(b, length)) --length;
  if (length > 0 && a[length - 1] == ' ') --length;
  return length;
}

// Of two conversations: their common messages, but each keeps one to answer with.
size_t SharedLength(const Messages& a, const Messages& b) {
  const size_t shorter = std::min(a.size(), b.size());
  const size_t length = std::mismatch(a.begin(), a.begin() + shorter, b.begin(), IsSame).first - a.begin();
  return length == shorter && length > 0 ? length - 1 : length;
}

// Takes the implicit prompt off both answers, which are alike. TRL's extract_prompt, but for texts of which
// one is the start of the other, or which differ in their first character: TRL miscounts there by one.
Content ExtractPrompt(Content* chosen, Content* rejected) {
  return std::visit(
      [rejected](auto& a) -> Content {
        auto& b = std::get<std::decay_t<decltype(a)>>(*rejected);
        const size_t length = SharedLength(a, b);
        auto prompt = std::decay_t<decltype(a)>(a.begin(), a.begin() + length);
        a.erase(a.begin(), a.begin() + length);
        b.erase(b.begin(), b.begin() + length);
        return prompt;
      },
      *chosen);
}

// ---- Forms ----

absl::Status ReadPair(const Columns& columns, PreferenceExample* example) {
  if (!columns.Has("chosen") || !columns.Has("rejected")) {
    return columns.ExpectedError(
        "chosen and rejected, alone or with one of prompt, messages, conversations and instruction");
  }
  PLUMB_ASSIGN_OR_RETURN(example->chosen, ReadContent(columns, "chosen"));
  PLUMB_ASSIGN_OR_RETURN(example->rejected, ReadContent(columns, "rejected"));
  if (IsText(example->chosen) != IsText(example->rejected)) {
    return absl::InvalidArgumentError("of chosen and rejected one is text and the other a list of messages");
  }
  PLUMB_ASSIGN_OR_RETURN(std::optional<Content> prompt, ReadPrompt(columns));
  if (!prompt.has_value()) {
    prompt = ExtractPrompt(&example->chosen, &example->rejected);
  } else if (IsText(*prompt) && !IsText(example->chosen)) {
    // Conversations hold their prompt; beside them a text is a copy, or what an answer alone leaves out.
    Content shared = ExtractPrompt(&example->chosen, &example->rejected);
    if (!IsEmpty(shared)) prompt = std::move(shared);
  }
  example->prompt = *std::move(prompt);
  PLUMB_RETURN_IF_ERROR(AddSystem(columns, &example->prompt));
  MakeAlike(&example->prompt, {&example->chosen, &example->rejected});
  PLUMB_ASSIGN_OR_RETURN(example->tools, ReadTools(columns));
  return absl::OkStatus();
}

// The `reference` column of triple data: text, or a conversation of one answer.
absl::Status ReadReference(const Columns& columns, PreferenceExample* example) {
  if (!columns.Has("reference")) return absl::OkStatus();
  PLUMB_ASSIGN_OR_RETURN(Content content, ReadContent(columns, "reference"));
  Messages messages = AsMessages(std::move(content), "assistant");
  if (messages.size() > 1) return WrongType("reference", "one answer", *columns.Find("reference"));
  if (!messages.empty()) example->reference_answer = std::move(messages[0].content);
  return absl::OkStatus();
}

// An answer's pieces and a label for each.
absl::StatusOr<std::vector<Sentence>> ReadSentences(const Columns& columns, absl::string_view texts_name,
                                                    absl::string_view labels_name) {
  std::vector<Sentence> sentences;
  const Record* texts = columns.Find(texts_name);
  const Record* labels = columns.Find(labels_name);
  if (texts == nullptr && labels == nullptr) return sentences;
  if (texts == nullptr || labels == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected the columns '", texts_name, "' and '", labels_name, "', or neither"));
  }
  if (!texts->is_array()) return WrongType(texts_name, "a list of texts", *texts);
  if (!labels->is_array()) return WrongType(labels_name, "a list of true and false", *labels);
  if (texts->size() != labels->size()) {
    return absl::InvalidArgumentError(absl::StrCat("column '", labels_name,
                                                   "': expected one for each of the ", texts->size(), " of '",
                                                   texts_name, "', found ", labels->size()));
  }
  for (size_t i = 0; i < texts->size(); ++i) {
    if (!(*texts)[i].is_string()) return WrongType(texts_name, "a list of texts", (*texts)[i]);
    PLUMB_ASSIGN_OR_RETURN(const bool counts, AsLabel((*labels)[i], labels_name));
    sentences.push_back({(*texts)[i].get<std::string>(), counts});
  }
  return sentences;
}

absl::Status ReadPreference(const Columns& columns, std::vector<PreferenceExample>* examples) {
  PreferenceExample example;
  PLUMB_RETURN_IF_ERROR(ReadPair(columns, &example));
  PLUMB_RETURN_IF_ERROR(ReadReference(columns, &example));
  PLUMB_ASSIGN_OR_RETURN(example.margin, ReadNumber(columns, "margin"));
  PLUMB_ASSIGN_OR_RETURN(example.ref_chosen_logps, ReadNumber(columns, "ref_chosen_logps"));
  PLUMB_ASSIGN_OR_RETURN(example.ref_rejected_logps, ReadNumber(columns, "ref_rejected_logps"));
  PLUMB_ASSIGN_OR_RETURN(example.score_chosen, ReadNumbers(columns, "score_chosen"));
  PLUMB_ASSIGN_OR_RETURN(example.score_rejected, ReadNumbers(columns, "score_rejected"));
  PLUMB_ASSIGN_OR_RETURN(example.chosen_sentences, ReadSentences(columns, "chosen_sentences", "chosen_mask"));
  PLUMB_ASSIGN_OR_RETURN(example.rejected_sentences,
                         ReadSentences(columns, "rejected_sentences", "rejected_mask"));
  examples->push_back(std::move(example));
  return absl::OkStatus();
}

// prompt and completion, or instruction and output; false when the columns are not there.
template <typename Example>
absl::StatusOr<bool> ReadAnswered(const Columns& columns, Example* example) {
  const absl::string_view answer = columns.Has("prompt") && columns.Has("completion")    ? "completion"
                                   : columns.Has("instruction") && columns.Has("output") ? "output"
                                                                                         : "";
  if (answer.empty()) return false;
  if (answer == "completion") {
    PLUMB_ASSIGN_OR_RETURN(example->prompt, ReadContent(columns, "prompt"));
  } else {
    PLUMB_ASSIGN_OR_RETURN(example->prompt, ReadInstruction(columns));
  }
  PLUMB_ASSIGN_OR_RETURN(example->completion, ReadContent(columns, answer));
  PLUMB_RETURN_IF_ERROR(AddSystem(columns, &example->prompt));
  MakeAlike(&example->prompt, {&example->completion});
  return true;
}

// A conversation is learnt as a whole, like a text.
absl::Status ReadTextExample(const Columns& columns, std::vector<TextExample>* examples) {
  TextExample example;
  PLUMB_ASSIGN_OR_RETURN(example.tools, ReadTools(columns));
  PLUMB_ASSIGN_OR_RETURN(const bool answered, ReadAnswered(columns, &example));
  if (!answered) {
    if (const auto column = ConversationColumn(columns); !column.empty()) {
      PLUMB_ASSIGN_OR_RETURN(example.completion, ReadMessages(columns, column));
      PLUMB_RETURN_IF_ERROR(AddSystem(columns, &example.completion));
    } else if (columns.Has("text")) {
      PLUMB_ASSIGN_OR_RETURN(example.completion, ReadString(columns, "text"));
    } else {
      return columns.ExpectedError(
          "prompt and completion, or messages, or conversations, or instruction and output, or text");
    }
  }
  examples->push_back(std::move(example));
  return absl::OkStatus();
}

// A pair is two answers, one good and one bad.
absl::Status ReadBothAnswers(const Columns& columns, std::vector<UnpairedExample>* examples) {
  PreferenceExample pair;
  PLUMB_RETURN_IF_ERROR(ReadPair(columns, &pair));
  examples->push_back({pair.prompt, std::move(pair.chosen), true, pair.tools, ""});
  examples->push_back({std::move(pair.prompt), std::move(pair.rejected), false, std::move(pair.tools), ""});
  return absl::OkStatus();
}

// How much an answer counts.
absl::StatusOr<std::optional<double>> ReadWeight(const Columns& columns) {
  PLUMB_ASSIGN_OR_RETURN(const std::optional<double> weight, ReadNumber(columns, "weight"));
  if (weight.has_value() && *weight < 0) {
    return absl::InvalidArgumentError("column 'weight': expected a number that is not negative");
  }
  return weight;
}

absl::Status ReadLabelled(const Columns& columns, std::vector<UnpairedExample>* examples) {
  const absl::string_view label = columns.AnyOf("label", "kto_tag");
  if (label.empty() && columns.Has("chosen")) return ReadBothAnswers(columns, examples);
  UnpairedExample example;
  PLUMB_ASSIGN_OR_RETURN(example.weight, ReadWeight(columns));
  PLUMB_ASSIGN_OR_RETURN(example.tools, ReadTools(columns));
  PLUMB_ASSIGN_OR_RETURN(const bool answered, ReadAnswered(columns, &example));
  const absl::string_view conversation = ConversationColumn(columns);
  if (label.empty() || (!answered && conversation.empty())) {
    return columns.ExpectedError(
        "label (or kto_tag) with prompt and completion, messages, conversations, or instruction and "
        "output; or chosen and rejected");
  }
  PLUMB_ASSIGN_OR_RETURN(example.label, AsLabel(*columns.Find(label), label));
  if (!answered) {
    PLUMB_ASSIGN_OR_RETURN(Messages messages, ReadMessages(columns, conversation));
    if (messages.empty() || messages.back().role != "assistant") {
      return absl::InvalidArgumentError(
          absl::StrCat("column '", conversation, "': expected its last message to be the assistant's"));
    }
    example.completion = Messages{std::move(messages.back())};
    messages.pop_back();
    example.prompt = std::move(messages);
    PLUMB_RETURN_IF_ERROR(AddSystem(columns, &example.prompt));
  }
  examples->push_back(std::move(example));
  return absl::OkStatus();
}

absl::Status ReadSteps(const Columns& columns, std::vector<StepwiseExample>* examples) {
  const Record* completions = columns.Find("completions");
  const Record* labels = columns.Find("labels");
  if (!columns.Has("prompt") || completions == nullptr || labels == nullptr) {
    return columns.ExpectedError("prompt, completions and labels");
  }
  StepwiseExample example;
  PLUMB_ASSIGN_OR_RETURN(example.prompt, ReadString(columns, "prompt"));
  if (!completions->is_array()) return WrongType("completions", "a list of texts", *completions);
  if (!labels->is_array()) return WrongType("labels", "a list of true and false", *labels);
  for (const Record& completion : *completions) {
    if (!completion.is_string()) return WrongType("completions", "a list of texts", completion);
    example.completions.push_back(completion.get<std::string>());
  }
  for (const Record& label : *labels) {
    PLUMB_ASSIGN_OR_RETURN(const bool good, AsLabel(label, "labels"));
    example.labels.push_back(good);
  }
  if (example.completions.size() != example.labels.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a label for each of the ",
                                                   example.completions.size(), " completions, found ",
                                                   example.labels.size(), " labels"));
  }
  examples->push_back(std::move(example));
  return absl::OkStatus();
}

// The prompt of any form; a conversation without the answer that it ends in.
absl::Status ReadPromptAlone(const Columns& columns, std::vector<PromptExample>* examples) {
  if (columns.Has("chosen") && columns.Has("rejected")) {
    PreferenceExample pair;
    PLUMB_RETURN_IF_ERROR(ReadPair(columns, &pair));
    examples->push_back({std::move(pair.prompt), std::move(pair.tools), ""});
    return absl::OkStatus();
  }
  PLUMB_ASSIGN_OR_RETURN(std::optional<Content> prompt, ReadPrompt(columns));
  if (!prompt.has_value()) {
    return columns.ExpectedError(
        "prompt, or messages, or conversations, or instruction, or chosen and rejected");
  }
  if (auto* messages = std::get_if<Messages>(&*prompt); messages != nullptr && !columns.Has("prompt")) {
    if (!messages->empty() && messages->back().role == "assistant") messages->pop_back();
  }
  PLUMB_RETURN_IF_ERROR(AddSystem(columns, &*prompt));
  PLUMB_ASSIGN_OR_RETURN(std::string tools, ReadTools(columns));
  examples->push_back({*std::move(prompt), std::move(tools), ""});
  return absl::OkStatus();
}

// Without its options a conversation would be rendered otherwise than was asked for.
absl::Status CheckNoTemplateOptions(const Columns& columns) {
  const Record* options = columns.Find("chat_template_kwargs");
  if (options == nullptr || options->empty()) return absl::OkStatus();
  return absl::UnimplementedError(
      "column 'chat_template_kwargs': templates take no options here; remove the column");
}

template <typename Example>
absl::StatusOr<std::vector<Example>> ReadAll(
    const RecordSource& source, absl::FunctionRef<absl::Status(const Columns&, std::vector<Example>*)> read) {
  const size_t limit =
      source.has_max_examples() ? source.max_examples() : std::numeric_limits<int64_t>::max();
  std::vector<Example> examples;
  const auto add = [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
    const size_t size = examples.size();
    const Columns columns(record);
    absl::Status status = CheckNoTemplateOptions(columns);
    if (status.ok()) status = read(columns, &examples);
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
    for (size_t i = size; i < examples.size(); ++i) examples[i].where = where;
    return examples.size() < limit;
  };
  PLUMB_RETURN_IF_ERROR(ForEachRecord(source, add));
  if (examples.size() > limit) examples.resize(limit);  // a pair gave two
  return examples;
}

absl::Status VisitStrings(const Record& value, absl::FunctionRef<absl::Status(absl::string_view)> visit) {
  if (value.is_string()) return visit(value.get_ref<const std::string&>());
  if (!value.is_structured()) return absl::OkStatus();
  for (const Record& element : value) PLUMB_RETURN_IF_ERROR(VisitStrings(element, visit));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Content> ReadContent(const Record& value, absl::string_view name) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array() && !value.is_object()) return WrongType(name, "text or a list of messages", value);
  Messages messages;
  const size_t count = value.is_array() ? value.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    auto message = ReadMessage(value.is_array() ? value[i] : value);
    if (!message.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("column '", name, "', message ", i, ": ", message.status().message()));
    }
    messages.push_back(*std::move(message));
  }
  return messages;
}

absl::StatusOr<std::vector<PreferenceExample>> ReadPreferences(const RecordSource& source) {
  return ReadAll<PreferenceExample>(source, ReadPreference);
}

absl::StatusOr<std::vector<TextExample>> ReadTexts(const RecordSource& source) {
  return ReadAll<TextExample>(source, ReadTextExample);
}

absl::StatusOr<std::vector<UnpairedExample>> ReadUnpaired(const RecordSource& source) {
  return ReadAll<UnpairedExample>(source, ReadLabelled);
}

absl::StatusOr<std::vector<StepwiseExample>> ReadStepwise(const RecordSource& source) {
  return ReadAll<StepwiseExample>(source, ReadSteps);
}

absl::StatusOr<std::vector<PromptExample>> ReadPrompts(const RecordSource& source) {
  return ReadAll<PromptExample>(source, ReadPromptAlone);
}

absl::Status ForEachText(absl::Span<const std::string> paths,
                         absl::FunctionRef<absl::Status(absl::string_view text)> visit) {
  for (const std::string& path : paths) {
    PLUMB_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
    for (const std::string& file : files) {
      if (HasRecords(file)) {
        const auto visit_record = [&](const Record& record, const std::string&) -> absl::StatusOr<bool> {
          PLUMB_RETURN_IF_ERROR(VisitStrings(record, visit));
          return true;
        };
        PLUMB_RETURN_IF_ERROR(ForEachRecord(file, visit_record));
      } else {
        PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadText(file));
        PLUMB_RETURN_IF_ERROR(visit(text));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace plumb
