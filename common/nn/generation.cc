#include "common/nn/generation.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/data/tokenizer.h"
#include "common/nn/json_fields.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/sampling.h"
#include "common/nn/text_stream.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// Prompt tokens of one forward pass: enough to keep the matrix products busy, few enough for little memory.
constexpr int64_t kPrefillTokens = 2048;

// Fields of generation_config.json that we read, or that do not change what comes out.
bool IsKnownField(const std::string& name) {
  static const auto& known = *new std::set<std::string>{"do_sample",
                                                        "temperature",
                                                        "top_k",
                                                        "top_p",
                                                        "repetition_penalty",
                                                        "max_new_tokens",
                                                        "max_length",
                                                        "eos_token_id",
                                                        "stop_strings",
                                                        "bos_token_id",
                                                        "pad_token_id",
                                                        "decoder_start_token_id",
                                                        "use_cache",
                                                        "cache_implementation",
                                                        "output_attentions",
                                                        "output_hidden_states",
                                                        "output_scores",
                                                        "output_logits",
                                                        "return_dict_in_generate",
                                                        "transformers_version",
                                                        "_from_model_config",
                                                        "chat_format",
                                                        "trust_remote_code",
                                                        "assistant_confidence_threshold",
                                                        "num_assistant_tokens",
                                                        "num_assistant_tokens_schedule",
                                                        "max_matching_ngram_size"};
  return known.count(name) != 0;
}

bool IsNeutral(const std::string& name, const nlohmann::json& value) {
  static const auto& neutral = *new std::map<std::string, double>{{"num_beams", 1},
                                                                  {"num_beam_groups", 1},
                                                                  {"num_return_sequences", 1},
                                                                  {"typical_p", 1},
                                                                  {"length_penalty", 1},
                                                                  {"min_length", 0},
                                                                  {"min_new_tokens", 0},
                                                                  {"no_repeat_ngram_size", 0},
                                                                  {"diversity_penalty", 0},
                                                                  {"epsilon_cutoff", 0},
                                                                  {"eta_cutoff", 0},
                                                                  {"guidance_scale", 1},
                                                                  {"encoder_no_repeat_ngram_size", 0},
                                                                  {"encoder_repetition_penalty", 1},
                                                                  {"min_p", 0}};
  const auto found = neutral.find(name);
  if (found != neutral.end() && value.is_number()) return value.get<double>() == found->second;
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

template <typename T>
T Above(JsonFields* fields, const std::string& name, T value, T bound) {
  if (!(value > bound)) fields->Fail(name, absl::StrCat("expected a number above ", bound));
  return value;
}

// Sets what `options` leave open.
absl::Status FillFromFile(const std::string& text, GenerationOptions* options) {
  const std::string where = "generation_config.json";
  PLUMB_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text, where));
  JsonFields fields(json, where);
  for (const auto& [name, value] : json.items()) {
    if (!IsKnownField(name) && !IsNeutral(name, value)) fields.Fail(name, "is not supported");
  }
  const auto open = [&](const char* name) {
    const auto* field = options->GetDescriptor()->FindFieldByName(name);
    return fields.Has(name) && !options->GetReflection()->HasField(*options, field);
  };
  if (open("max_new_tokens")) options->set_max_new_tokens(fields.Integer("max_new_tokens", 1, 1, INT32_MAX));
  if (open("do_sample")) options->set_do_sample(fields.Boolean("do_sample", false));
  if (open("temperature")) {
    options->set_temperature(Above(&fields, "temperature", fields.Number("temperature", 1), 0.0));
  }
  if (open("top_k")) options->set_top_k(fields.Integer("top_k", 0, 0, INT32_MAX));
  if (open("top_p")) {
    options->set_top_p(Above(&fields, "top_p", fields.Number("top_p", 1), 0.0));
    if (options->top_p() > 1) fields.Fail("top_p", "expected at most 1");
  }
  if (open("repetition_penalty")) {
    options->set_repetition_penalty(
        Above(&fields, "repetition_penalty", fields.Number("repetition_penalty", 1), 0.0));
  }
  if (options->eos_token_id().empty()) {
    for (const int64_t id : fields.Integers("eos_token_id")) options->add_eos_token_id(id);
  }
  if (options->stop_strings().empty() && fields.Has("stop_strings")) {
    const nlohmann::json& stops = json["stop_strings"];
    for (const nlohmann::json& stop : stops.is_array() ? stops : nlohmann::json::array({stops})) {
      if (stop.is_string()) {
        options->add_stop_strings(stop.get<std::string>());
      } else {
        fields.Fail("stop_strings", "expected strings");
      }
    }
  }
  return fields.status();
}

absl::Status CheckRequests(absl::Span<const GenerationRequest> requests, const GenerationOptions& options,
                           const ModelConfig& config) {
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::vector<int64_t>& ids = requests[i].prompt_ids;
    if (ids.empty()) return absl::InvalidArgumentError(absl::StrCat("prompt ", i, " has no tokens"));
    for (const int64_t id : ids) {
      if (id < 0 || id >= config.vocab_size) {
        return absl::InvalidArgumentError(absl::StrCat("prompt ", i, " has token ", id,
                                                       ", but the model has ", config.vocab_size,
                                                       ": this tokenizer belongs to another model"));
      }
    }
    const int64_t length = ids.size() + options.max_new_tokens();
    if (config.family == ModelConfig::Family::kGpt2 && length > config.max_position_embeddings) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", i, " has ", ids.size(), " tokens: with max_new_tokens ",
                       options.max_new_tokens(), " that is more than the model's ",
                       config.max_position_embeddings, " positions; lower max_new_tokens or cut the prompt"));
    }
  }
  return absl::OkStatus();
}

// One request on its way.
struct Sequence {
  const GenerationRequest* request;
  std::vector<int64_t> ids;  // prompt and what came after
  GeneratedSequence result;
  std::optional<TextStream> stream;
  bool done = false;
};

class Generator {
 public:
  Generator(CausalLm& model, absl::Span<const GenerationRequest> requests, const GenerationOptions& options,
            const Tokenizer* tokenizer, const TextCallback& on_text)
      : model_(model),
        options_(options),
        on_text_(on_text),
        cache_(model.config(), model.dtype(), requests.size()),
        eos_token_ids_(options.eos_token_id().begin(), options.eos_token_id().end()) {
    for (const GenerationRequest& request : requests) {
      Sequence sequence{&request, request.prompt_ids, {}, {}, false};
      if (tokenizer != nullptr) sequence.stream.emplace(*tokenizer, request.prompt_ids);
      sequences_.push_back(std::move(sequence));
    }
  }

  absl::StatusOr<std::vector<GeneratedSequence>> Run() {
    at::Tensor hidden = ReadPrompts();  // [sequences, H]
    std::vector<size_t> active(sequences_.size());
    for (size_t i = 0; i < active.size(); ++i) active[i] = i;
    while (!active.empty()) {
      const at::Tensor logits = Logits(model_, hidden).to(at::kFloat).contiguous();
      for (size_t row = 0; row < active.size(); ++row) {
        absl::Span<float> scores(logits.data_ptr<float>() + row * logits.size(1), logits.size(1));
        PLUMB_RETURN_IF_ERROR(ChooseToken(active[row], scores));
      }
      active.erase(std::remove_if(active.begin(), active.end(), [&](size_t i) { return sequences_[i].done; }),
                   active.end());
      if (!active.empty()) hidden = Step(active);
    }
    std::vector<GeneratedSequence> results;
    for (Sequence& sequence : sequences_) results.push_back(std::move(sequence.result));
    return results;
  }

 private:
  // Runs tokens [begin[i], end[i]) of each sequence through the model; rows in that order.
  at::Tensor Feed(const std::vector<std::pair<int64_t, int64_t>>& ranges) {
    PackedTokens tokens;
    int64_t rows = 0;
    for (const auto& [begin, end] : ranges) {
      tokens.segments.push_back({rows, rows + end - begin, Segment::kNoParent});
      rows += end - begin;
    }
    tokens.token_ids = at::empty({rows}, at::kLong);
    tokens.position_ids = at::empty({rows}, at::kLong);
    int64_t* ids = tokens.token_ids.data_ptr<int64_t>();
    int64_t* positions = tokens.position_ids.data_ptr<int64_t>();
    for (size_t i = 0; i < ranges.size(); ++i) {
      for (int64_t position = ranges[i].first; position < ranges[i].second; ++position) {
        *ids++ = sequences_[i].ids[position];
        *positions++ = position;
      }
    }
    return model_.HiddenWithCache(tokens, &cache_);
  }

  // The hidden state of each prompt's last token. Equal prompts are read once.
  at::Tensor ReadPrompts() {
    std::map<std::vector<int64_t>, size_t> first;
    std::vector<size_t> source(sequences_.size());
    for (size_t i = 0; i < sequences_.size(); ++i)
      source[i] = first.emplace(sequences_[i].ids, i).first->second;
    std::vector<at::Tensor> last(sequences_.size());
    for (size_t next = 0; next < sequences_.size();) {
      std::vector<std::pair<int64_t, int64_t>> ranges(sequences_.size(), {0, 0});
      std::vector<std::pair<size_t, int64_t>> finished;  // sequence, row of its last token
      int64_t rows = 0;
      while (next < sequences_.size() && rows < kPrefillTokens) {
        const int64_t size = sequences_[next].ids.size();
        const int64_t begin = source[next] == next ? cache_.length(next) : size;
        const int64_t end = std::min(size, begin + kPrefillTokens - rows);
        ranges[next] = {begin, end};
        rows += end - begin;
        if (end < size) break;
        if (source[next] == next) finished.emplace_back(next, rows - 1);
        ++next;
      }
      if (rows == 0) continue;
      const at::Tensor hidden = Feed(ranges);
      for (const auto& [sequence, row] : finished) last[sequence] = hidden.narrow(0, row, 1).clone();
    }
    for (size_t i = 0; i < sequences_.size(); ++i) {
      if (source[i] == i) continue;
      cache_.CopySequence(source[i], i);
      last[i] = last[source[i]];
    }
    return at::cat(last);
  }

  at::Tensor Step(const std::vector<size_t>& active) {
    std::vector<std::pair<int64_t, int64_t>> ranges(sequences_.size(), {0, 0});
    for (const size_t i : active) {
      const int64_t size = sequences_[i].ids.size();
      ranges[i] = {size - 1, size};
    }
    return Feed(ranges);
  }

  absl::Status ChooseToken(size_t index, absl::Span<float> logits) {
    Sequence& sequence = sequences_[index];
    const int64_t step = sequence.result.token_ids.size();
    // The log-probability is the model's own; the scores change only where an option says so.
    std::vector<float> own;
    const bool changed = options_.do_sample() || options_.repetition_penalty() != 1;
    if (changed) own.assign(logits.begin(), logits.end());
    if (changed) ProcessLogits(logits, sequence.ids, options_);
    const int64_t token = options_.do_sample() ? SampleToken(logits, sequence.request->random.Uniform(step))
                                               : LikeliestToken(logits);
    const float logp = TokenLogp(changed ? absl::MakeConstSpan(own) : absl::MakeConstSpan(logits), token);
    if (!std::isfinite(logp)) {
      return absl::InvalidArgumentError(absl::StrCat("the model's logits for prompt ", index,
                                                     " are not finite at new token ", step,
                                                     ": its weights are damaged or have diverged"));
    }
    sequence.ids.push_back(token);
    sequence.result.token_ids.push_back(token);
    sequence.result.logps.push_back(logp);
    if (sequence.stream.has_value()) Emit(index, sequence.stream->Push(token));
    using Reason = GeneratedSequence::FinishReason;
    if (eos_token_ids_.count(token) != 0) {
      Finish(index, Reason::kEndOfSequence);
    } else if (EndsInStopString(sequence.result.text)) {
      Finish(index, Reason::kStopString);
    } else if (step + 1 == options_.max_new_tokens()) {
      Finish(index, Reason::kMaxNewTokens);
    }
    return absl::OkStatus();
  }

  void Emit(size_t index, const std::string& piece) {
    GeneratedSequence& result = sequences_[index].result;
    last_piece_ = piece.size();
    result.text += piece;
    if (on_text_ && !piece.empty()) on_text_(index, piece);
  }

  // Looks at what the last piece can have completed.
  bool EndsInStopString(const std::string& text) const {
    for (const std::string& stop : options_.stop_strings()) {
      const size_t reach = std::min(text.size(), last_piece_ + stop.size());
      if (last_piece_ > 0 && absl::StrContains(absl::string_view(text).substr(text.size() - reach), stop)) {
        return true;
      }
    }
    return false;
  }

  void Finish(size_t index, GeneratedSequence::FinishReason reason) {
    Sequence& sequence = sequences_[index];
    sequence.done = true;
    sequence.result.finish_reason = reason;
    if (sequence.stream.has_value()) Emit(index, sequence.stream->Finish());
    cache_.Clear(index);
  }

  CausalLm& model_;
  const GenerationOptions& options_;
  const TextCallback& on_text_;
  KeyValueCache cache_;
  std::set<int64_t> eos_token_ids_;
  std::vector<Sequence> sequences_;
  size_t last_piece_ = 0;  // bytes that the last token added
};

}  // namespace

absl::StatusOr<GenerationOptions> ResolveGenerationOptions(const GenerationOptions& options,
                                                           const ModelConfig& config) {
  GenerationOptions resolved = options;
  if (!config.generation_config_json.empty()) {
    PLUMB_RETURN_IF_ERROR(FillFromFile(config.generation_config_json, &resolved));
  }
  if (resolved.eos_token_id().empty()) {
    for (const int64_t id : config.eos_token_ids) resolved.add_eos_token_id(id);
  }
  for (const std::string& stop : resolved.stop_strings()) {
    if (stop.empty()) return absl::InvalidArgumentError("stop_strings: an empty string ends nothing");
  }
  return resolved;
}

absl::StatusOr<std::vector<GeneratedSequence>> Generate(CausalLm& model,
                                                        absl::Span<const GenerationRequest> requests,
                                                        const GenerationOptions& options,
                                                        const Tokenizer* tokenizer,
                                                        const TextCallback& on_text) {
  PLUMB_ASSIGN_OR_RETURN(const GenerationOptions resolved, ResolveGenerationOptions(options, model.config()));
  PLUMB_RETURN_IF_ERROR(CheckRequests(requests, resolved, model.config()));
  if (tokenizer == nullptr && (!resolved.stop_strings().empty() || on_text)) {
    return absl::InvalidArgumentError("stop_strings and streamed text need a tokenizer");
  }
  if (requests.empty()) return std::vector<GeneratedSequence>();
  c10::InferenceMode inference;
  return Generator(model, requests, resolved, tokenizer, on_text).Run();
}

}  // namespace plumb
