#include "common/nn/pretrained.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/nn/json_fields.h"
#include "common/nn/layer_stack.h"
#include "common/nn/load_parameters.h"
#include "common/status/status_macros.h"
#include "common/tensor/dtype.h"
#include "common/tensor/safetensors.h"

namespace plumb {
namespace {

constexpr int64_t kMaxShardBytes = int64_t{5} << 30;

// dtype (transformers 5) or torch_dtype (4) of config.json; null or absent: what the file's first tensor has.
absl::StatusOr<at::ScalarType> StoredDtype(const ModelConfig& config, const std::string& where,
                                           const Safetensors& file) {
  PLUMB_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(config.config_json, where));
  JsonFields fields(json, where);
  const std::string key = fields.Has("dtype") ? "dtype" : "torch_dtype";
  const std::string name = fields.String(key, "");
  PLUMB_RETURN_IF_ERROR(fields.status());
  if (name.empty()) return file.entries().empty() ? at::kFloat : file.entries().front().dtype;
  absl::StatusOr<at::ScalarType> dtype = ParseDtype(name);
  if (!dtype.ok()) fields.Fail(key, dtype.status().message());
  PLUMB_RETURN_IF_ERROR(fields.status());
  return dtype;
}

// Models are computed in these; f16 has too little range to train in and no fast path here.
at::ScalarType ComputeDtype(at::ScalarType stored) {
  return stored == at::kBFloat16 || stored == at::kDouble ? stored : at::kFloat;
}

// "model.layers.0..." may be stored without its first part, as a model without a head is.
std::vector<std::string> Spellings(const std::string& name) {
  for (const char* prefix : {"model.", "transformer."}) {
    if (absl::StartsWith(name, prefix)) return {name, name.substr(std::string(prefix).size())};
  }
  return {name};
}

// Masks and frequencies that old versions of transformers kept as tensors, and a head that is the embedding.
bool MeansNothing(const ModelConfig& config, const std::string& name) {
  if (config.family == ModelConfig::Family::kGpt2) {
    for (const char* mask : {".attn.bias", ".attn.masked_bias"}) {
      if (absl::EndsWith(name, mask)) return true;
    }
  }
  if (absl::EndsWith(name, ".rotary_emb.inv_freq")) return true;
  return config.tie_word_embeddings && name == "lm_head.weight";
}

// What a folder holds: the configuration, the file of its weights, and the dtype to compute in.
struct ModelFolder {
  ModelConfig config;
  std::string weights_path;
  Safetensors weights;
  at::ScalarType dtype;
};

absl::StatusOr<ModelFolder> OpenModelFolder(const std::string& folder, std::optional<at::ScalarType> dtype) {
  const std::string config_path = absl::StrCat(folder, "/config.json");
  PLUMB_ASSIGN_OR_RETURN(const std::string config_json, ReadFile(config_path));
  PLUMB_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(config_json, config_path));
  const std::string generation_path = absl::StrCat(folder, "/generation_config.json");
  if (FileExists(generation_path)) {
    PLUMB_ASSIGN_OR_RETURN(config.generation_config_json, ReadFile(generation_path));
  }
  const std::string weights_path = absl::StrCat(folder, "/model.safetensors");
  PLUMB_ASSIGN_OR_RETURN(Safetensors weights, Safetensors::Open(weights_path));
  if (!dtype.has_value()) {
    PLUMB_ASSIGN_OR_RETURN(const at::ScalarType stored, StoredDtype(config, config_path, weights));
    dtype = ComputeDtype(stored);
  }
  return ModelFolder{std::move(config), weights_path, std::move(weights), *dtype};
}

absl::Status LoadWeights(const ModelFolder& folder, absl::FunctionRef<void(ParameterVisitor)> visit) {
  ParameterNames names;
  names.spellings = Spellings;
  names.ignored = [&](const std::string& name) { return MeansNothing(folder.config, name); };
  return LoadParameters(folder.weights, folder.weights_path, visit, names);
}

absl::Status Save(const ModelConfig& config, at::ScalarType dtype,
                  absl::FunctionRef<void(ParameterVisitor)> visit, const std::string& folder) {
  std::vector<NamedTensor> tensors;
  visit([&](const std::string& name, at::Tensor& tensor) { tensors.push_back({name, tensor.detach()}); });
  PLUMB_RETURN_IF_ERROR(WriteShardedSafetensors(folder, "model", tensors, kMaxShardBytes));
  if (!config.generation_config_json.empty()) {
    PLUMB_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(folder, "/generation_config.json"), config.generation_config_json));
  }
  return WriteFileAtomically(absl::StrCat(folder, "/config.json"),
                             ModelConfigToJson(config, DtypeName(dtype)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CausalLm>> LoadCausalLm(const std::string& folder,
                                                       std::optional<at::ScalarType> dtype) {
  PLUMB_ASSIGN_OR_RETURN(const ModelFolder source, OpenModelFolder(folder, dtype));
  if (source.config.reward_head) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": a reward model, which has no head over the vocabulary"));
  }
  std::unique_ptr<CausalLm> model = MakeCausalLm(source.config, source.dtype);
  PLUMB_RETURN_IF_ERROR(
      LoadWeights(source, [&](ParameterVisitor visitor) { model->VisitParameters(visitor); }));
  return model;
}

absl::Status SaveCausalLm(CausalLm& model, const std::string& folder) {
  return Save(
      model.config(), model.dtype(), [&](ParameterVisitor visitor) { model.VisitParameters(visitor); },
      folder);
}

absl::StatusOr<RewardModel> LoadRewardModel(const std::string& folder, std::optional<at::ScalarType> dtype) {
  PLUMB_ASSIGN_OR_RETURN(const ModelFolder source, OpenModelFolder(folder, dtype));
  if (!source.config.reward_head) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder,
                     ": a language model, not a reward model: its config.json names no "
                     "...ForSequenceClassification"));
  }
  RewardModel model;
  model.body = MakeCausalLm(source.config, source.dtype);
  model.score = MetaTensor({1, source.config.hidden_size}, source.dtype);
  PLUMB_RETURN_IF_ERROR(
      LoadWeights(source, [&](ParameterVisitor visitor) { model.VisitParameters(visitor); }));
  return model;
}

absl::Status SaveRewardModel(RewardModel& model, const std::string& folder) {
  return Save(
      model.body->config(), model.body->dtype(),
      [&](ParameterVisitor visitor) { model.VisitParameters(visitor); }, folder);
}

}  // namespace plumb
