#ifndef PLUMB_COMMON_NN_MODEL_CONFIG_H_
#define PLUMB_COMMON_NN_MODEL_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Rotary position embedding (Su et al. 2021, arXiv 2104.09864) and its scalings, as transformers computes
// them.
struct RopeParameters {
  enum class Type { kDefault, kLinear, kDynamic, kYarn, kLlama3 };
  Type type = Type::kDefault;
  double theta = 10000;
  double factor = 1;
  // YaRN (Peng et al. 2023, arXiv 2309.00071) and Llama 3: what the model was trained with before scaling.
  int64_t original_max_position_embeddings = 0;
  double attention_factor = 1;  // YaRN: scales cos and sin
  double beta_fast = 32;
  double beta_slow = 1;
  bool truncate = true;
  double low_freq_factor = 1;  // Llama 3
  double high_freq_factor = 4;
};

// What config.json says, whatever its family calls it.
struct ModelConfig {
  enum class Family { kLlama, kMistral, kQwen2, kGpt2 };
  Family family = Family::kLlama;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  // A model that scores texts in place of continuing them (transformers' ...ForSequenceClassification with
  // one label): see common/nn/reward_model.h. It has no head over the vocabulary.
  bool reward_head = false;
  bool query_key_value_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  RopeParameters rope;
  // Per layer: how many of the last tokens a token sees, itself included; 0: all of them.
  std::vector<int64_t> sliding_windows;

  // GPT-2.
  bool exact_gelu = false;  // "gelu" by the error function; else the tanh form ("gelu_new")
  bool scale_attn_weights = true;
  bool scale_attn_by_inverse_layer_idx = false;

  std::vector<int64_t> eos_token_ids;  // of config.json; generation_config.json's come first in generation

  // The texts of the files as they came, so that they are saved again with the fields that mean nothing to
  // us. generation_config_json is empty where there was none.
  std::string config_json;
  std::string generation_config_json;
};

// The longest sequence that the model can see: GPT-2's table of positions ends; a rotary embedding does not.
int64_t MaxPositions(const ModelConfig& config);

// Reads the text of a config.json. Everything that would change what the model computes is either honoured or
// refused, by the name of its field; `where` (the path) begins each message.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json, const std::string& where);

// The text of config.json, with `dtype` as transformers spells it ("float32", "bfloat16").
std::string ModelConfigToJson(const ModelConfig& config, absl::string_view dtype);

// The config of the model's body under a head of one score (common/nn/reward_model.h). transformers reads the
// score at the last token that is not pad_token_id: an error where config.json names none, or one that ends
// answers.
absl::StatusOr<ModelConfig> WithRewardHead(const ModelConfig& config);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_MODEL_CONFIG_H_
