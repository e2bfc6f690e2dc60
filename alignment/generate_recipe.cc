#include "alignment/generate_recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/recipe_checks.h"
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
};

std::string TextOf(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return *text;
  std::string lines;
  for (const ChatMessage& message : std::get<std::vector<ChatMessage>>(content)) {
    absl::StrAppend(&lines, lines.empty() ? "" : "\n", message.role, ": ", message.content);
  }
  return lines;
}

class Generation {
 public:
  Generation(const GenerateRecipe& recipe, std::istream& input, std::ostream& output)
      : recipe_(recipe), input_(input), output_(output) {}

  absl::Status Run() {
    PLUMB_RETURN_IF_ERROR(CheckIsPretrained(recipe_.model(), "model"));
    PLUMB_RETURN_IF_ERROR(CheckOutputFile(recipe_.output_file()));
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
      auto ids = tokenizer.Prompt(AsConversation(std::move(example.prompt)), example.tools);
      if (ids.ok() && ids->empty()) ids = absl::InvalidArgumentError("the prompt has no tokens");
      if (!ids.ok()) {
        return absl::Status(ids.status().code(), absl::StrCat(example.where, ": ", ids.status().message()));
      }
      prompts.push_back({std::move(text), *std::move(ids)});
    }
    return prompts;
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
    }
    BeamSearchOptions options;
    options.num_beams = config.num_beams();
    options.length_penalty = config.length_penalty();
    options.max_new_tokens = resolved.max_new_tokens();
    options.eos_token_ids.assign(resolved.eos_token_id().begin(), resolved.eos_token_id().end());
    const bool to_file = !recipe_.output_file().empty();
    std::string rows;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const auto found =
          BeamSearch(*model_.model, reference.model.get(), prompts[i].ids, options, model_.tokenizer.get());
      if (absl::IsCancelled(found.status())) return Stopped(i, prompts.size());
      PLUMB_RETURN_IF_ERROR(found.status());
      const size_t count = std::min<size_t>(recipe_.num_return_sequences(), found->size());
      for (size_t k = 0; k < count; ++k) {
        const BeamHypothesis& answer = (*found)[k];
        if (to_file) {
          absl::StrAppend(&rows, Row(prompts[i].text, answer.sequence, answer.score), "\n");
        } else {
          output_ << "--- " << prompts[i].text << '\n' << answer.sequence.text << '\n' << std::flush;
        }
      }
    }
    return to_file ? WriteFileAtomically(recipe_.output_file(), rows) : absl::OkStatus();
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
    std::string rows;
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
        const std::string& prompt = prompts[written / answers].text;
        if (to_file) {
          absl::StrAppend(&rows, Row(prompt, *ended[written]), "\n");
        } else if (streamed) {
          output_ << '\n';
        } else {
          output_ << "--- " << prompt << '\n' << ended[written]->text << '\n' << std::flush;
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
    return to_file ? WriteFileAtomically(recipe_.output_file(), rows) : absl::OkStatus();
  }

  static std::string Row(const std::string& prompt, const GeneratedSequence& sequence,
                         std::optional<double> score = std::nullopt) {
    using Reason = GeneratedSequence::FinishReason;
    const char* reason = sequence.finish_reason == Reason::kMaxNewTokens ? "length" : "stop";
    nlohmann::ordered_json row = {
        {"prompt", prompt}, {"completion", sequence.text}, {"finish_reason", reason}};
    if (score.has_value()) row["score"] = *score;
    return row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  const GenerateRecipe& recipe_;
  std::istream& input_;
  std::ostream& output_;
  TextModel model_;
  bool conversation_ = false;
};

}  // namespace

absl::Status GenerateFromRecipe(const GenerateRecipe& recipe, std::istream& input, std::ostream& output) {
  return Generation(recipe, input, output).Run();
}

}  // namespace plumb
