#include "alignment/generate_recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/recipe_checks.h"
#include "alignment/selection/row.h"
#include "alignment/text_model.h"
#include "common/data/chat_template.h"
#include "common/data/read_examples.h"
#include "common/files/files.h"
#include "common/nn/beam_search.h"
#include "common/nn/generation.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"
#include "common/train/threads.h"

namespace plumb {
namespace {

// A prompt as people wrote it, and as the model reads it.
struct Prompt {
  std::string text;
  std::vector<int64_t> ids;
  Record columns;  // what a row of all its answers has beside them
};

std::string TextOf(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return *text;
  std::string lines;
  for (const ChatMessage& message : std::get<std::vector<ChatMessage>>(content)) {
    absl::StrAppend(&lines, lines.empty() ? "" : "\n", message.role, ": ", message.content);
  }
  return lines;
}

Record AsRecord(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return *text;
  Record messages = Record::array();
  for (const ChatMessage& message : std::get<std::vector<ChatMessage>>(content)) {
    Record one = {{"role", message.role}, {"content", message.content}};
    if (!message.name.empty()) one["name"] = message.name;
    if (!message.tool_calls.empty()) one["tool_calls"] = Record::parse(message.tool_calls);
    messages.push_back(std::move(one));
  }
  return messages;
}

// The prompt, in the place of the columns that it was read of and of the answers that they had, and all
// others.
Record WithPrompt(const Record& columns, const Content& prompt) {
  static const auto& kOfThePrompt =
      *new std::set<std::string>{"prompt",     "messages", "conversations", "instruction", "input",
                                 "output",     "system",   "history",       "chosen",      "rejected",
                                 "completion", "label",    "completions",   "scores",      "finish_reasons"};
  Record row = {{"prompt", AsRecord(prompt)}};
  for (const auto& [name, value] : columns.items()) {
    if (kOfThePrompt.count(name) == 0 && !row.contains(name)) row[name] = value;
  }
  return row;
}

// The rows of the output file: an answer each, or all answers to a prompt.
class AnswerRows {
 public:
  AnswerRows(bool grouped, bool conversation) : grouped_(grouped), conversation_(conversation) {}

  // Those of a prompt come one after the other; `score` is a beam search's.
  void Add(const Prompt& prompt, const GeneratedSequence& answer,
           std::optional<double> score = std::nullopt) {
    using Reason = GeneratedSequence::FinishReason;
    const char* reason = answer.finish_reason == Reason::kMaxNewTokens ? "length" : "stop";
    if (!grouped_) {
      Record row = {{"prompt", prompt.text}, {"completion", answer.text}, {"finish_reason", reason}};
      if (score.has_value()) row["score"] = *score;
      rows_.push_back(std::move(row));
      return;
    }
    if (&prompt != last_prompt_) rows_.push_back(prompt.columns);
    last_prompt_ = &prompt;
    Content said = answer.text;
    if (conversation_) said = std::vector<ChatMessage>{{"assistant", answer.text, "", ""}};
    rows_.back()["completions"].push_back(AsRecord(said));
    rows_.back()["finish_reasons"].push_back(reason);
    if (score.has_value()) rows_.back()["scores"].push_back(*score);
  }

  std::string Lines() const {
    std::string lines;
    for (const Record& row : rows_) {
      absl::StrAppend(&lines, row.dump(-1, ' ', false, Record::error_handler_t::replace), "\n");
    }
    return lines;
  }

 private:
  bool grouped_, conversation_;
  const Prompt* last_prompt_ = nullptr;
  std::vector<Record> rows_;
};

class Generation {
 public:
  Generation(const GenerateRecipe& recipe, std::istream& input, std::ostream& output)
      : recipe_(recipe), input_(input), output_(output) {}

  absl::Status Run() {
    PLUMB_RETURN_IF_ERROR(CheckIsPretrained(recipe_.model(), "model"));
    PLUMB_RETURN_IF_ERROR(CheckOutputFile(recipe_.output_file()));
    if (recipe_.group_completions() && recipe_.output_file().empty()) {
      return absl::InvalidArgumentError("group_completions: is of the rows of output_file; name one");
    }
    SetThreads(recipe_.threads());
    PLUMB_RETURN_IF_ERROR(CheckBeamSearch());
    PLUMB_ASSIGN_OR_RETURN(model_, OpenTextModel(recipe_.model(), recipe_.seed(), /*tokenizer_folder=*/""));
    PLUMB_ASSIGN_OR_RETURN(std::vector<PromptExample> examples, ReadExamples());
    PLUMB_ASSIGN_OR_RETURN(const std::vector<Prompt> prompts, Tokenize(std::move(examples)));
    return recipe_.has_beam_search() ? AnswerByBeamSearch(prompts) : Answer(prompts);
  }

 private:
  absl::StatusOr<std::vector<PromptExample>> ReadExamples() {
    std::vector<PromptExample> examples;
    for (int i = 0; i < recipe_.prompt_size(); ++i) {
      examples.push_back({recipe_.prompt(i), "", absl::StrCat("prompt[", i, "]")});
    }
    if (recipe_.has_prompts()) {
      PLUMB_ASSIGN_OR_RETURN(std::vector<PromptExample> more, ReadPrompts(recipe_.prompts()));
      for (PromptExample& example : more) examples.push_back(std::move(example));
      if (recipe_.group_completions()) {
        PLUMB_RETURN_IF_ERROR(ForEachRow(recipe_.prompts(), [&](Row row) -> absl::Status {
          columns_.push_back(std::move(row.record));
          return absl::OkStatus();
        }));
      }
    }
    if (examples.empty()) {
      std::string line;
      for (int64_t number = 1; std::getline(input_, line); ++number) {
        if (!line.empty()) examples.push_back({line, "", absl::StrCat("standard input:", number)});
      }
    }
    if (examples.empty()) {
      return absl::InvalidArgumentError(
          "no prompt: expected --set=prompt=TEXT, --set=prompts.path=FILE, or lines on standard input");
    }
    return examples;
  }

  absl::StatusOr<std::vector<Prompt>> Tokenize(std::vector<PromptExample> examples) {
    PLUMB_ASSIGN_OR_RETURN(ChatRenderer renderer,
                           MakeChatRenderer(recipe_.chat_template(), *model_.tokenizer));
    conversation_ = renderer != nullptr;
    if (!conversation_ && !recipe_.system().empty()) {
      return absl::InvalidArgumentError("system: a system message needs a chat template");
    }
    const ExampleTokenizer tokenizer(*model_.tokenizer, std::move(renderer), DataConfig());
    std::vector<Prompt> prompts;
    for (PromptExample& example : examples) {
      std::string text = TextOf(example.prompt);
      const Content prompt = AsConversation(std::move(example.prompt));
      auto ids = tokenizer.Prompt(prompt, example.tools);
      if (ids.ok() && ids->empty()) ids = absl::InvalidArgumentError("the prompt has no tokens");
      if (!ids.ok()) {
        return absl::Status(ids.status().code(), absl::StrCat(example.where, ": ", ids.status().message()));
      }
      prompts.push_back({std::move(text), *std::move(ids), Record()});
      if (recipe_.group_completions()) {
        prompts.back().columns = WithPrompt(ColumnsOf(prompts.size() - 1), prompt);
      }
    }
    return prompts;
  }

  // The row that a prompt came from; prompts of the recipe itself are the first ones.
  Record ColumnsOf(size_t prompt) const {
    const auto given = static_cast<size_t>(recipe_.prompt_size());
    return prompt >= given && prompt - given < columns_.size() ? columns_[prompt - given] : Record::object();
  }

  Content AsConversation(Content content) const {
    if (!conversation_) return content;
    std::vector<ChatMessage> messages;
    if (!recipe_.system().empty()) messages.push_back({"system", recipe_.system(), "", ""});
    if (const auto* text = std::get_if<std::string>(&content)) {
      messages.push_back({"user", *text, "", ""});
    } else {
      for (ChatMessage& message : std::get<std::vector<ChatMessage>>(content)) {
        messages.push_back(std::move(message));
      }
    }
    return messages;
  }

  // What samples has no meaning in a search.
  absl::Status CheckBeamSearch() const {
    if (!recipe_.has_beam_search()) return absl::OkStatus();
    const GenerationOptions& options = recipe_.generation();
    const auto refuse = [](absl::string_view field) {
      return absl::InvalidArgumentError(
          absl::StrCat("generation.", field, ": a beam search has no place for it; leave it out"));
    };
    if (options.do_sample()) return refuse("do_sample");
    if (options.has_temperature()) return refuse("temperature");
    if (options.has_top_k()) return refuse("top_k");
    if (options.has_top_p()) return refuse("top_p");
    if (options.repetition_penalty() != 1) return refuse("repetition_penalty");
    if (options.stop_strings_size() > 0) return refuse("stop_strings");
    if (options.has_logps()) return refuse("logps");
    if (recipe_.num_return_sequences() > recipe_.beam_search().num_beams()) {
      return absl::InvalidArgumentError(absl::StrCat("num_return_sequences: ", recipe_.num_return_sequences(),
                                                     " is more than beam_search.num_beams, ",
                                                     recipe_.beam_search().num_beams()));
    }
    if (recipe_.beam_search().has_reference()) {
      return CheckIsPretrained(recipe_.beam_search().reference(), "beam_search.reference");
    }
    return absl::OkStatus();
  }

  absl::Status AnswerByBeamSearch(const std::vector<Prompt>& prompts) {
    PLUMB_ASSIGN_OR_RETURN(const GenerationOptions resolved,
                           ResolveGenerationOptions(recipe_.generation(), model_.model->config()));
    if (resolved.repetition_penalty() != 1 || resolved.stop_strings_size() > 0) {
      return absl::InvalidArgumentError(
          "generation_config.json: repetition_penalty and stop_strings have no place in a beam search: "
          "take them out of the model's folder");
    }
    const BeamSearchConfig& config = recipe_.beam_search();
    TextModel reference;
    if (config.has_reference()) {
      PLUMB_ASSIGN_OR_RETURN(reference,
                             OpenTextModel(config.reference(), recipe_.seed(), /*tokenizer_folder=*/""));
      PLUMB_RETURN_IF_ERROR(
          CheckSameVocabulary(reference.model->config(), model_.model->config(), "beam_search.reference"));
    }
    BeamSearchOptions options;
    options.num_beams = config.num_beams();
    options.length_penalty = config.length_penalty();
    options.max_new_tokens = resolved.max_new_tokens();
    options.eos_token_ids.assign(resolved.eos_token_id().begin(), resolved.eos_token_id().end());
    const bool to_file = !recipe_.output_file().empty();
    AnswerRows rows(recipe_.group_completions(), conversation_);
    for (size_t i = 0; i < prompts.size(); ++i) {
      const auto found =
          BeamSearch(*model_.model, reference.model.get(), prompts[i].ids, options, model_.tokenizer.get());
      if (absl::IsCancelled(found.status())) return Stopped(i, prompts.size());
      PLUMB_RETURN_IF_ERROR(found.status());
      const size_t count = std::min<size_t>(recipe_.num_return_sequences(), found->size());
      for (size_t k = 0; k < count; ++k) {
        const BeamHypothesis& answer = (*found)[k];
        if (to_file) {
          rows.Add(prompts[i], answer.sequence, answer.score);
        } else {
          output_ << "--- " << prompts[i].text << '\n' << answer.sequence.text << '\n' << std::flush;
        }
      }
    }
    return to_file ? WriteFileAtomically(recipe_.output_file(), rows.Lines()) : absl::OkStatus();
  }

  absl::Status Stopped(size_t done, size_t all) const {
    const std::string& file = recipe_.output_file();
    return absl::CancelledError(
        absl::StrCat("stopped after ", done, " of ", all, " prompts",
                     file.empty() ? "" : absl::StrCat("; ", file, " is not written")));
  }

  absl::Status Answer(const std::vector<Prompt>& prompts) {
    const int64_t answers = recipe_.num_return_sequences();
    const RandomStream random(recipe_.seed(), "generate");
    std::vector<GenerationRequest> requests;
    for (size_t i = 0; i < prompts.size(); ++i) {
      for (int64_t k = 0; k < answers; ++k) requests.push_back({prompts[i].ids, random.Child(i).Child(k)});
    }
    GenerationOptions options = recipe_.generation();
    if (!options.has_max_batch_size()) options.set_max_batch_size(recipe_.batch_size() * answers);
    const bool to_file = !recipe_.output_file().empty();
    const bool streamed = !to_file && requests.size() == 1;
    AnswerRows rows(recipe_.group_completions(), conversation_);
    size_t written = 0;  // sequences, in the order of the prompts
    std::vector<const GeneratedSequence*> ended(requests.size(), nullptr);
    GenerationCallbacks callbacks;
    if (streamed) {
      if (!conversation_) output_ << prompts[0].text << std::flush;
      callbacks.on_text = [this](int64_t, absl::string_view piece) { output_ << piece << std::flush; };
    }
    callbacks.on_sequence = [&](int64_t index, const GeneratedSequence& sequence) {
      ended[index] = &sequence;
      for (; written < ended.size() && ended[written] != nullptr; ++written) {
        const Prompt& prompt = prompts[written / answers];
        if (to_file) {
          rows.Add(prompt, *ended[written]);
        } else if (streamed) {
          output_ << '\n';
        } else {
          output_ << "--- " << prompt.text << '\n' << ended[written]->text << '\n' << std::flush;
        }
      }
    };
    const absl::Status status =
        Generate(*model_.model, requests, options, model_.tokenizer.get(), callbacks).status();
    if (absl::IsCancelled(status)) {
      if (streamed && written == 0) output_ << '\n';
      return Stopped(written / answers, prompts.size());
    }
    PLUMB_RETURN_IF_ERROR(status);
    return to_file ? WriteFileAtomically(recipe_.output_file(), rows.Lines()) : absl::OkStatus();
  }

  const GenerateRecipe& recipe_;
  std::istream& input_;
  std::ostream& output_;
  TextModel model_;
  bool conversation_ = false;
  std::vector<Record> columns_;  // of the rows of prompts, if their answers are grouped
};

}  // namespace

absl::Status GenerateFromRecipe(const GenerateRecipe& recipe, std::istream& input, std::ostream& output) {
  return Generation(recipe, input, output).Run();
}

}  // namespace plumb
