#include "common/nn/generation.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/data/tokenizer.h"
#include "common/kernels/few_rows_product.h"
#include "common/kernels/paged_attention.h"
#include "common/nn/json_fields.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/rollout_logps.h"
#include "common/nn/sampling.h"
#include "common/nn/text_stream.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

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

// A request that has a place in the batch.
struct Sequence {
  int64_t index = -1;        // of the request; -1: the place is free
  std::vector<int64_t> ids;  // prompt and what came after
  std::optional<TextStream> stream;
  size_t last_piece = 0;  // bytes of text that the last token added
  bool begun = false;     // a pass has had tokens of it
};

// A token and its log-probability by the model itself.
struct Choice {
  int64_t token = 0;
  float logp = 0;
};

class Generator {
 public:
  Generator(CausalLm& model, absl::Span<const GenerationRequest> requests, const GenerationOptions& options,
            const Tokenizer* tokenizer, const GenerationCallbacks& callbacks)
      : model_(model),
        requests_(requests),
        options_(options),
        tokenizer_(tokenizer),
        callbacks_(callbacks),
        eos_token_ids_(options.eos_token_id().begin(), options.eos_token_id().end()),
        places_(std::min<int64_t>(options.max_batch_size(), requests.size())),
        results_(requests.size()),
        cache_(model.config(), model.dtype(), places_.size()),
        logits_(at::empty({static_cast<int64_t>(places_.size()), model.config().vocab_size}, at::kFloat)) {}

  absl::StatusOr<std::vector<GeneratedSequence>> Run() {
    int64_t ended = 0;
    while (ended < static_cast<int64_t>(requests_.size())) {
      PLUMB_RETURN_IF_ERROR(StopOnInterrupt(ended));
      FillPlaces();
      const std::vector<int64_t> ready = ReadTokens();
      PLUMB_ASSIGN_OR_RETURN(const std::vector<Choice> choices, ChooseTokens(ready));
      for (size_t i = 0; i < ready.size(); ++i) ended += TakeToken(ready[i], choices[i]);
    }
    if (options_.logps() == GenerationOptions::TRAINER) PLUMB_RETURN_IF_ERROR(ComputeTrainerLogps(ended));
    return std::move(results_);
  }

 private:
  absl::Status StopOnInterrupt(int64_t ended) const {
    if (!InterruptRequested()) return absl::OkStatus();
    return absl::CancelledError(
        absl::StrCat("generation stopped after ", ended, " of ", requests_.size(), " sequences"));
  }

  void FillPlaces() {
    for (size_t place = 0; place < places_.size() && next_ < static_cast<int64_t>(requests_.size());
         ++place) {
      if (places_[place].index >= 0) continue;
      const std::vector<int64_t>& prompt = requests_[next_].prompt_ids;
      // The one before may have begun with the same tokens.
      const int64_t kept = std::min(Common(prompt, places_[place].ids), cache_.length(place));
      Sequence& sequence = places_[place];
      sequence.index = next_++;
      sequence.ids = prompt;
      sequence.begun = false;
      if (tokenizer_ != nullptr) sequence.stream.emplace(*tokenizer_, prompt);
      cache_.Truncate(place, kept);
    }
    for (size_t place = 0; place < places_.size(); ++place) {
      if (places_[place].index < 0) cache_.Truncate(place, 0);
    }
  }

  // How many tokens of a prompt need not be read where `ids` have been: all but the last, whose hidden state
  // is wanted, or else whole blocks, of which no copies are made.
  int64_t Common(const std::vector<int64_t>& prompt, const std::vector<int64_t>& ids) const {
    // There, keys depend on the length of the whole sequence.
    if (model_.config().rope.type == RopeParameters::Type::kDynamic) return 0;
    const auto end = std::mismatch(prompt.begin(), prompt.end(), ids.begin(), ids.end()).first;
    const int64_t common = end - prompt.begin(), all = prompt.size() - 1;
    return common >= all ? all : common / kBlockTokens * kBlockTokens;
  }

  // Lets a sequence that has not begun share what another has read. False: another is about to read it.
  bool ShareTokens(int64_t place) {
    const Sequence& sequence = places_[place];
    int64_t source = place, shared = cache_.length(place), promised = shared;
    for (size_t other = 0; other < places_.size(); ++other) {
      const Sequence& theirs = places_[other];
      if (theirs.index < 0 || theirs.index == sequence.index) continue;
      const int64_t common = Common(sequence.ids, theirs.ids);
      // Of two that have not begun the second waits for the first.
      if (theirs.begun || theirs.index < sequence.index) promised = std::max(promised, common);
      if (std::min(common, cache_.length(other)) > shared) {
        source = other;
        shared = std::min(common, cache_.length(other));
      }
    }
    if (promised > shared) return false;
    cache_.Share(source, place, shared);
    return true;
  }

  // One pass: the last token of each who has been read up to there, and parts of prompts as far as
  // max_batch_tokens allows. Computes the logits of the places it returns, in their order.
  std::vector<int64_t> ReadTokens() {
    std::vector<int64_t> counts(places_.size(), 0);
    int64_t room = options_.max_batch_tokens();
    const auto unread = [&](size_t place) {
      return static_cast<int64_t>(places_[place].ids.size()) - cache_.length(place);
    };
    for (size_t place = 0; place < places_.size(); ++place) {
      if (places_[place].index < 0 || !places_[place].begun || unread(place) > 1) continue;
      counts[place] = 1;
      --room;
    }
    for (size_t place = 0; place < places_.size(); ++place) {
      Sequence& sequence = places_[place];
      if (sequence.index < 0 || counts[place] > 0 || room <= 0) continue;
      if (!sequence.begun && !ShareTokens(place)) continue;
      sequence.begun = true;
      counts[place] = std::min(unread(place), room);
      room -= counts[place];
    }
    std::vector<int64_t> ready, last_rows;
    int64_t rows = 0;
    for (size_t place = 0; place < places_.size(); ++place) {
      rows += counts[place];
      if (counts[place] == 0 || counts[place] < unread(place)) continue;
      ready.push_back(place);
      last_rows.push_back(rows - 1);
    }
    const at::Tensor hidden = Feed(counts).index_select(0, at::tensor(last_rows, at::kLong));
    at::Tensor logits = logits_.narrow(0, 0, ready.size());
    if (IsFewRowsProduct(hidden, model_.HeadWeight())) {
      FewRowsProductOut(hidden, model_.HeadWeight(), logits);
    } else if (hidden.scalar_type() == at::kFloat) {
      at::mm_out(logits, hidden, model_.HeadWeight().t());
    } else {
      logits.copy_(Logits(model_, hidden));
    }
    return ready;
  }

  // Runs the next counts[i] tokens of each place through the model; their hidden states [N, H].
  at::Tensor Feed(const std::vector<int64_t>& counts) {
    PackedTokens tokens;
    int64_t rows = 0;
    for (const int64_t count : counts) {
      tokens.segments.push_back({rows, rows + count, Segment::kNoParent});
      rows += count;
    }
    tokens.token_ids = at::empty({rows}, at::kLong);
    tokens.position_ids = at::empty({rows}, at::kLong);
    for (size_t place = 0; place < counts.size(); ++place) {
      const int64_t begin = tokens.segments[place].begin, past = cache_.length(place);
      std::copy_n(places_[place].ids.begin() + past, counts[place],
                  tokens.token_ids.mutable_data_ptr<int64_t>() + begin);
      std::iota(tokens.position_ids.mutable_data_ptr<int64_t>() + begin,
                tokens.position_ids.mutable_data_ptr<int64_t>() + begin + counts[place], past);
    }
    return model_.HiddenWithCache(tokens, &cache_);
  }

  // From the logits of these places.
  absl::StatusOr<std::vector<Choice>> ChooseTokens(const std::vector<int64_t>& ready) const {
    std::vector<Choice> choices(ready.size());
    const int64_t size = logits_.size(1);
    at::parallel_for(0, ready.size(), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scores;
      for (int64_t i = begin; i < end; ++i) {
        const absl::Span<const float> logits(logits_.const_data_ptr<float>() + i * size, size);
        choices[i] = ChooseToken(places_[ready[i]], logits, &scores);
      }
    });
    for (size_t i = 0; i < ready.size(); ++i) {
      if (std::isfinite(choices[i].logp)) continue;
      const int64_t index = places_[ready[i]].index;
      return absl::InvalidArgumentError(
          absl::StrCat("the model's logits for prompt ", index, " are not finite at new token ",
                       results_[index].token_ids.size(), ": its weights are damaged or have diverged"));
    }
    return choices;
  }

  Choice ChooseToken(const Sequence& sequence, absl::Span<const float> logits,
                     std::vector<float>* scores) const {
    const double log_sum = LogSumExp(logits);
    if (!std::isfinite(log_sum)) return {0, NAN};
    // The log-probability is the model's own; scores differ from logits only where an option says so.
    if (options_.do_sample() || options_.repetition_penalty() != 1) {
      scores->assign(logits.begin(), logits.end());
      ProcessLogits(absl::MakeSpan(*scores), sequence.ids, options_);
    }
    const absl::Span<const float> chosen_from = scores->empty() ? logits : absl::MakeConstSpan(*scores);
    const int64_t step = results_[sequence.index].token_ids.size();
    const int64_t token = options_.do_sample()
                              ? SampleToken(chosen_from, requests_[sequence.index].random.Uniform(step))
                              : LikeliestToken(chosen_from);
    return {token, static_cast<float>(logits[token] - log_sum)};
  }

  // Whether that ends the sequence, whose place is then free.
  bool TakeToken(int64_t place, const Choice& choice) {
    Sequence& sequence = places_[place];
    GeneratedSequence& result = results_[sequence.index];
    sequence.ids.push_back(choice.token);
    result.token_ids.push_back(choice.token);
    result.logps.push_back(choice.logp);
    if (sequence.stream.has_value()) Emit(&sequence, sequence.stream->Push(choice.token));
    using Reason = GeneratedSequence::FinishReason;
    if (eos_token_ids_.count(choice.token) != 0) {
      result.finish_reason = Reason::kEndOfSequence;
    } else if (EndsInStopString(result.text, sequence.last_piece)) {
      result.finish_reason = Reason::kStopString;
    } else if (static_cast<int64_t>(result.token_ids.size()) == options_.max_new_tokens()) {
      result.finish_reason = Reason::kMaxNewTokens;
    } else {
      return false;
    }
    if (sequence.stream.has_value()) Emit(&sequence, sequence.stream->Finish());
    if (callbacks_.on_sequence) callbacks_.on_sequence(sequence.index, result);
    sequence.index = -1;
    return true;
  }

  void Emit(Sequence* sequence, const std::string& piece) {
    sequence->last_piece = piece.size();
    results_[sequence->index].text += piece;
    if (callbacks_.on_text && !piece.empty()) callbacks_.on_text(sequence->index, piece);
  }

  // Looks at what the last piece can have completed.
  bool EndsInStopString(const std::string& text, size_t last_piece) const {
    for (const std::string& stop : options_.stop_strings()) {
      const size_t reach = std::min(text.size(), last_piece + stop.size());
      if (last_piece > 0 && absl::StrContains(absl::string_view(text).substr(text.size() - reach), stop)) {
        return true;
      }
    }
    return false;
  }

  absl::Status ComputeTrainerLogps(int64_t ended) {
    for (size_t begin = 0, end = 0; begin < requests_.size(); begin = end) {
      PLUMB_RETURN_IF_ERROR(StopOnInterrupt(ended));
      const std::vector<int64_t>& prompt = requests_[begin].prompt_ids;
      std::vector<std::vector<int64_t>> completions;
      for (; end < requests_.size() && requests_[end].prompt_ids == prompt; ++end) {
        completions.push_back(results_[end].token_ids);
      }
      const RolloutBatch batch = PackRollouts(prompt, completions);
      const at::Tensor logps = RolloutLogps(model_, batch).to(at::kFloat);
      for (size_t i = begin; i < end; ++i) {
        const Segment& rows = batch.completions[i - begin];
        const float* values = logps.const_data_ptr<float>();
        results_[i].logps.assign(values + rows.begin, values + rows.end);
      }
    }
    return absl::OkStatus();
  }

  CausalLm& model_;
  const absl::Span<const GenerationRequest> requests_;
  const GenerationOptions& options_;
  const Tokenizer* const tokenizer_;
  const GenerationCallbacks& callbacks_;
  const std::set<int64_t> eos_token_ids_;
  int64_t next_ = 0;  // request that waits for a place
  std::vector<Sequence> places_;
  std::vector<GeneratedSequence> results_;
  KeyValueCache cache_;      // a sequence for each place
  const at::Tensor logits_;  // [places, V] f32: of a pass, in the order of its rows
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

absl::StatusOr<std::vector<GeneratedSequence>> Generate(CausalLm& model,
                                                        absl::Span<const GenerationRequest> requests,
                                                        const GenerationOptions& options,
                                                        const Tokenizer* tokenizer,
                                                        const GenerationCallbacks& callbacks) {
  PLUMB_ASSIGN_OR_RETURN(const GenerationOptions resolved, ResolveGenerationOptions(options, model.config()));
  PLUMB_RETURN_IF_ERROR(CheckRequests(requests, resolved, model.config()));
  if (tokenizer == nullptr && (!resolved.stop_strings().empty() || callbacks.on_text)) {
    return absl::InvalidArgumentError("stop_strings and streamed text need a tokenizer");
  }
  if (requests.empty()) return std::vector<GeneratedSequence>();
  c10::InferenceMode inference;
  return Generator(model, requests, resolved, tokenizer, callbacks).Run();
}

}  // namespace plumb
