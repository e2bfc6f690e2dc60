#include "common/nn/model_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/nn/json_fields.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using Family = ModelConfig::Family;

constexpr int64_t kLargestSize = int64_t{1} << 31;
constexpr int64_t kMostLayers = 4096;

// model_type, the classes of it that we are, and its family.
struct KnownFamily {
  const char* model_type;
  const char* architecture;
  const char* reward_architecture;
  Family family;
};
constexpr KnownFamily kFamilies[] = {
    {"llama", "LlamaForCausalLM", "LlamaForSequenceClassification", Family::kLlama},
    {"mistral", "MistralForCausalLM", "MistralForSequenceClassification", Family::kMistral},
    {"qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification", Family::kQwen2},
    {"gpt2", "GPT2LMHeadModel", "GPT2ForSequenceClassification", Family::kGpt2},
};

const KnownFamily& KnownFamilyOf(const ModelConfig& config) {
  return *std::find_if(std::begin(kFamilies), std::end(kFamilies),
                       [&](const KnownFamily& known) { return known.family == config.family; });
}

const KnownFamily* FindFamily(JsonFields* fields) {
  const std::string type = fields->String("model_type", "");
  for (const KnownFamily& family : kFamilies) {
    if (type == family.model_type) return &family;
  }
  fields->Fail("model_type",
               absl::StrCat("'", type, "' is not supported; supported are llama, mistral, qwen2 and gpt2"));
  return nullptr;
}

// transformers counts id2label, or num_labels where that is not there; two are its default.
bool HasOneLabel(const nlohmann::json& config) {
  const auto labels = config.find("id2label");
  if (labels != config.end() && labels->is_object()) return labels->size() == 1;
  return config.value("num_labels", nlohmann::json()) == 1;
}

// Whether this is a reward model.
bool ReadArchitecture(const KnownFamily& family, JsonFields* fields) {
  if (!fields->Has("architectures")) return false;
  const nlohmann::json& names = fields->json()["architectures"];
  const nlohmann::json name = names.is_array() && names.size() == 1 ? names[0] : nullptr;
  if (name == family.architecture) return false;
  if (name == family.reward_architecture) {
    if (!HasOneLabel(fields->json())) fields->Fail("id2label", "a reward model has one label");
    return true;
  }
  fields->Fail("architectures", absl::StrCat("expected [\"", family.architecture, "\"] or [\"",
                                             family.reward_architecture, "\"], found ", names.dump()));
  return false;
}

double PositiveNumber(JsonFields* fields, const std::string& name, double fallback) {
  const double value = fields->Number(name, fallback);
  if (!(value > 0) || !std::isfinite(value)) fields->Fail(name, "expected a number above 0");
  return value;
}

// The default of `attention_factor` (eq. 22 of the paper, and DeepSeek's two-sided form of it).
double YarnAttentionFactor(double factor, double mscale, double mscale_all_dim) {
  const auto get_mscale = [factor](double scale) {
    return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
  };
  if (mscale != 0 && mscale_all_dim != 0) return get_mscale(mscale) / get_mscale(mscale_all_dim);
  return get_mscale(1);
}

void ReadYarn(JsonFields* fields, int64_t max_positions, RopeParameters* rope) {
  if (!fields->Has("factor")) rope->factor = double(max_positions) / rope->original_max_position_embeddings;
  const double mscale = fields->Number("mscale", 0);
  const double mscale_all_dim = fields->Number("mscale_all_dim", 0);
  rope->attention_factor =
      fields->Number("attention_factor", YarnAttentionFactor(rope->factor, mscale, mscale_all_dim));
  rope->beta_fast = PositiveNumber(fields, "beta_fast", 32);
  rope->beta_slow = PositiveNumber(fields, "beta_slow", 1);
  rope->truncate = fields->Boolean("truncate", true);
}

// `fields` is rope_parameters (transformers 5) or rope_scaling (transformers 4).
void ReadRopeScaling(JsonFields* fields, int64_t max_positions, RopeParameters* rope) {
  using Type = RopeParameters::Type;
  const char* key = fields->Has("rope_type") ? "rope_type" : "type";
  const std::string type = fields->String(key, "default");
  rope->theta = PositiveNumber(fields, "rope_theta", rope->theta);
  if (fields->Number("partial_rotary_factor", 1) != 1) {
    fields->Fail("partial_rotary_factor", "only 1 is supported");
  }
  if (type == "default") return;
  if (type != "linear" && type != "dynamic" && type != "yarn" && type != "llama3") {
    fields->Fail(key,
                 absl::StrCat("'", type,
                              "' is not supported; supported are default, linear, dynamic, yarn and llama3"));
    return;
  }
  if (type != "yarn" && !fields->Has("factor")) fields->Fail("factor", "is missing");
  rope->factor = PositiveNumber(fields, "factor", 1);
  rope->original_max_position_embeddings =
      fields->Integer("original_max_position_embeddings", max_positions, 1, kLargestSize);
  if (type == "linear") {
    rope->type = Type::kLinear;
  } else if (type == "dynamic") {
    rope->type = Type::kDynamic;
  } else if (type == "yarn") {
    rope->type = Type::kYarn;
    ReadYarn(fields, max_positions, rope);
  } else {
    rope->type = Type::kLlama3;
    for (const char* name : {"low_freq_factor", "high_freq_factor"}) {
      if (!fields->Has(name)) fields->Fail(name, "is missing");
    }
    rope->low_freq_factor = PositiveNumber(fields, "low_freq_factor", 1);
    rope->high_freq_factor = PositiveNumber(fields, "high_freq_factor", 4);
    if (rope->high_freq_factor <= rope->low_freq_factor) {
      fields->Fail("high_freq_factor", "must be above low_freq_factor");
    }
  }
}

void ReadRope(JsonFields* fields, ModelConfig* config) {
  RopeParameters& rope = config->rope;
  rope.theta = PositiveNumber(fields, "rope_theta", rope.theta);
  if (fields->Number("partial_rotary_factor", 1) != 1) {
    fields->Fail("partial_rotary_factor", "only 1 is supported");
  }
  const std::string name = fields->Has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  JsonFields scaling = fields->Object(name);
  ReadRopeScaling(&scaling, config->max_position_embeddings, &rope);
  fields->Keep(scaling.status());
}

void ReadSlidingWindows(JsonFields* fields, ModelConfig* config) {
  config->sliding_windows.assign(config->num_hidden_layers, 0);
  // transformers' Mistral has a window of 4096 unless the field is there, be it null.
  const bool given = fields->json().contains("sliding_window");
  const int64_t fallback = config->family == Family::kMistral && !given ? 4096 : 0;
  const int64_t window = fields->Integer("sliding_window", fallback, 1, kLargestSize);
  if (config->family == Family::kMistral) config->sliding_windows.assign(config->num_hidden_layers, window);
  if (config->family != Family::kQwen2 || !fields->Boolean("use_sliding_window", false)) return;
  if (window == 0) fields->Fail("sliding_window", "is missing, though use_sliding_window is true");
  if (!fields->Has("layer_types")) {
    const int64_t first = fields->Integer("max_window_layers", 28, 0, kLargestSize);
    for (int64_t i = first; i < config->num_hidden_layers; ++i) config->sliding_windows[i] = window;
    return;
  }
  const nlohmann::json& types = fields->json()["layer_types"];
  if (!types.is_array() || types.size() != config->num_hidden_layers) {
    fields->Fail("layer_types", absl::StrCat("expected a list of ", config->num_hidden_layers, " names"));
    return;
  }
  for (int64_t i = 0; i < config->num_hidden_layers; ++i) {
    if (types[i] == "sliding_attention") {
      config->sliding_windows[i] = window;
    } else if (types[i] != "full_attention") {
      fields->Fail(absl::StrCat("layer_types[", i, "]"), "expected full_attention or sliding_attention");
    }
  }
}

void ReadLlamaLike(JsonFields* fields, ModelConfig* config) {
  config->vocab_size = fields->RequiredInteger("vocab_size", 1, kLargestSize);
  config->hidden_size = fields->RequiredInteger("hidden_size", 1, kLargestSize);
  config->intermediate_size = fields->RequiredInteger("intermediate_size", 1, kLargestSize);
  config->num_hidden_layers = fields->RequiredInteger("num_hidden_layers", 1, kMostLayers);
  const int64_t heads = fields->RequiredInteger("num_attention_heads", 1, kLargestSize);
  const int64_t kv_heads = fields->Integer("num_key_value_heads", heads, 1, kLargestSize);
  if (heads % kv_heads != 0) {
    fields->Fail("num_key_value_heads", absl::StrCat("does not divide num_attention_heads (", heads, ")"));
  }
  config->num_attention_heads = heads;
  config->num_key_value_heads = kv_heads;
  config->head_dim = fields->Integer("head_dim", std::max<int64_t>(1, config->hidden_size / heads), 1, 65536);
  if (config->head_dim % 2 != 0)
    fields->Fail("head_dim", absl::StrCat("must be even, is ", config->head_dim));
  const int64_t positions = config->family == Family::kMistral ? 131072
                            : config->family == Family::kQwen2 ? 32768
                                                               : 2048;
  config->max_position_embeddings = fields->Integer("max_position_embeddings", positions, 1, kLargestSize);
  config->norm_eps = PositiveNumber(fields, "rms_norm_eps", 1e-6);
  config->tie_word_embeddings = fields->Boolean("tie_word_embeddings", false);
  if (config->family == Family::kQwen2) {
    config->query_key_value_bias = true;
  } else if (config->family == Family::kLlama) {
    config->query_key_value_bias = config->attention_output_bias = fields->Boolean("attention_bias", false);
    config->mlp_bias = fields->Boolean("mlp_bias", false);
  }
  const std::string activation = fields->String("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    fields->Fail("hidden_act", absl::StrCat("'", activation, "' is not supported; supported is silu"));
  }
  ReadRope(fields, config);
  ReadSlidingWindows(fields, config);
}

void ReadGpt2(JsonFields* fields, ModelConfig* config) {
  config->vocab_size = fields->Integer("vocab_size", 50257, 1, kLargestSize);
  config->hidden_size = fields->Integer("n_embd", 768, 1, kLargestSize);
  config->intermediate_size = fields->Integer("n_inner", 4 * config->hidden_size, 1, kLargestSize);
  config->num_hidden_layers = fields->Integer("n_layer", 12, 1, kMostLayers);
  const int64_t heads = fields->Integer("n_head", 12, 1, kLargestSize);
  if (config->hidden_size % heads != 0) {
    fields->Fail("n_head", absl::StrCat("does not divide n_embd (", config->hidden_size, ")"));
  }
  config->num_attention_heads = config->num_key_value_heads = heads;
  config->head_dim = config->hidden_size / heads;
  config->max_position_embeddings = fields->Integer("n_positions", 1024, 1, kLargestSize);
  config->norm_eps = PositiveNumber(fields, "layer_norm_epsilon", 1e-5);
  config->tie_word_embeddings = fields->Boolean("tie_word_embeddings", true);
  config->query_key_value_bias = config->attention_output_bias = config->mlp_bias = true;
  config->scale_attn_weights = fields->Boolean("scale_attn_weights", true);
  config->scale_attn_by_inverse_layer_idx = fields->Boolean("scale_attn_by_inverse_layer_idx", false);
  config->sliding_windows.assign(config->num_hidden_layers, 0);
  const std::string activation = fields->String("activation_function", "gelu_new");
  config->exact_gelu = activation == "gelu";
  if (!config->exact_gelu && activation != "gelu_new" && activation != "gelu_pytorch_tanh") {
    fields->Fail("activation_function",
                 absl::StrCat("'", activation, "' is not supported; supported are gelu_new and gelu"));
  }
  if (fields->Boolean("add_cross_attention", false)) {
    fields->Fail("add_cross_attention",
                 "is not supported: only decoders that see nothing but their own text");
  }
}

// Whatever else would change what is computed.
void RefuseVariants(JsonFields* fields) {
  for (const char* name : {"quantization_config", "compression_config"}) {
    if (fields->Has(name))
      fields->Fail(name, "quantised weights are not supported; load an unquantised folder");
  }
  for (const char* name : {"is_encoder_decoder", "cross_attention_hidden_size"}) {
    if (fields->Has(name) && fields->json()[name] != false) fields->Fail(name, "only decoders are supported");
  }
}

}  // namespace

int64_t MaxPositions(const ModelConfig& config) {
  return config.family == Family::kGpt2 ? config.max_position_embeddings
                                        : std::numeric_limits<int64_t>::max();
}

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json, const std::string& where) {
  PLUMB_ASSIGN_OR_RETURN(const nlohmann::json parsed, ParseJsonObject(json, where));
  JsonFields fields(parsed, where);
  ModelConfig config;
  config.config_json = std::string(json);
  const KnownFamily* family = FindFamily(&fields);
  if (family == nullptr) return fields.status();
  config.family = family->family;
  config.reward_head = ReadArchitecture(*family, &fields);
  RefuseVariants(&fields);
  PLUMB_RETURN_IF_ERROR(fields.status());
  if (config.family == Family::kGpt2) {
    ReadGpt2(&fields, &config);
  } else {
    ReadLlamaLike(&fields, &config);
  }
  config.initializer_range = PositiveNumber(&fields, "initializer_range", 0.02);
  if (config.reward_head) config.tie_word_embeddings = true;  // as there is no lm_head
  config.eos_token_ids = fields.Integers("eos_token_id");
  PLUMB_RETURN_IF_ERROR(fields.status());
  return config;
}

std::string ModelConfigToJson(const ModelConfig& config, absl::string_view dtype) {
  nlohmann::json json = nlohmann::json::parse(config.config_json, nullptr, /*allow_exceptions=*/false);
  json["dtype"] = std::string(dtype);
  json["torch_dtype"] = std::string(dtype);  // what transformers 4 reads
  return json.dump(2) + "\n";
}

absl::StatusOr<ModelConfig> WithRewardHead(const ModelConfig& config) {
  nlohmann::json json = nlohmann::json::parse(config.config_json, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json pad = json.value("pad_token_id", nlohmann::json());
  if (!pad.is_number_integer() ||
      std::count(config.eos_token_ids.begin(), config.eos_token_ids.end(), pad.get<int64_t>()) > 0) {
    return absl::InvalidArgumentError(absl::StrCat("config.json: field 'pad_token_id': ", pad.dump(),
                                                   " cannot pad the answers of a reward model, whose score "
                                                   "transformers reads at the last token that is no "
                                                   "padding; expected a token that never ends an answer"));
  }
  json["architectures"] = {KnownFamilyOf(config).reward_architecture};
  json["id2label"] = {{"0", "LABEL_0"}};
  json["label2id"] = {{"LABEL_0", 0}};
  ModelConfig result = config;
  result.config_json = json.dump();
  result.generation_config_json.clear();
  result.reward_head = result.tie_word_embeddings = true;
  return result;
}

}  // namespace plumb
