#include "common/nn/new_model.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/nn/model.pb.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

nlohmann::json OptionalId(const std::optional<int64_t>& id) {
  return id.has_value() ? nlohmann::json(*id) : nullptr;
}

// The config.json of a transformers LlamaForCausalLM.
nlohmann::json ConfigJson(const NewModel& model, const VocabularyInfo& vocabulary) {
  return {
      {"architectures", {"LlamaForCausalLM"}},
      {"attention_bias", false},
      {"attention_dropout", 0.0},
      {"bos_token_id", OptionalId(vocabulary.bos_token_id)},
      {"eos_token_id", OptionalId(vocabulary.eos_token_id)},
      {"head_dim", model.hidden_size() / model.num_attention_heads()},
      {"hidden_act", "silu"},
      {"hidden_size", model.hidden_size()},
      {"initializer_range", model.initializer_range()},
      {"intermediate_size", model.intermediate_size()},
      {"max_position_embeddings", model.max_position_embeddings()},
      {"mlp_bias", false},
      {"model_type", "llama"},
      {"num_attention_heads", model.num_attention_heads()},
      {"num_hidden_layers", model.num_hidden_layers()},
      {"num_key_value_heads", model.num_key_value_heads()},
      {"pad_token_id", OptionalId(vocabulary.pad_token_id)},
      {"rms_norm_eps", model.rms_norm_eps()},
      {"rope_theta", model.rope_theta()},
      {"tie_word_embeddings", model.tie_word_embeddings()},
      {"use_cache", true},
      {"vocab_size", vocabulary.vocab_size},
  };
}

at::Tensor InitialWeight(const std::string& name, const at::Tensor& shape, double range,
                         const RandomStream& random) {
  if (absl::EndsWith(name, "norm.weight")) return at::ones(shape.sizes(), shape.scalar_type());
  if (absl::EndsWith(name, ".bias")) return at::zeros(shape.sizes(), shape.scalar_type());
  const at::ScalarType wide = shape.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return random.Child(name).NormalTensor(shape.sizes(), wide).mul_(range).to(shape.scalar_type());
}

}  // namespace

absl::StatusOr<std::unique_ptr<CausalLm>> NewCausalLm(const NewModel& model, const VocabularyInfo& vocabulary,
                                                      const RandomStream& random, at::ScalarType dtype) {
  if (model.hidden_size() % model.num_attention_heads() != 0) {
    return absl::InvalidArgumentError(absl::StrCat("from_scratch: hidden_size (", model.hidden_size(),
                                                   ") must be a multiple of num_attention_heads (",
                                                   model.num_attention_heads(), ")"));
  }
  PLUMB_ASSIGN_OR_RETURN(const ModelConfig config,
                         ParseModelConfig(ConfigJson(model, vocabulary).dump(), "from_scratch"));
  std::unique_ptr<CausalLm> made = MakeCausalLm(config, dtype);
  made->VisitParameters([&](const std::string& name, at::Tensor& parameter) {
    parameter = InitialWeight(name, parameter, config.initializer_range, random);
  });
  return made;
}

}  // namespace plumb
