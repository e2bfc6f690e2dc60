#include "alignment/text_model.h"

#include <c10/core/GradMode.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "alignment/content_hash.h"
#include "common/data/bpe_trainer.h"
#include "common/data/read_examples.h"
#include "common/files/files.h"
#include "common/nn/lora.h"
#include "common/nn/new_model.h"
#include "common/nn/pretrained.h"
#include "common/program/runfiles.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr char kPaddingToken[] = "<|endoftext|>";

at::ScalarType Dtype(const ModelSource& source) {
  return source.dtype() == ModelSource::BFLOAT16 ? at::kBFloat16 : at::kFloat;
}

// Trains a byte-level BPE on the texts that `recipe` names, unless the folder has one of the same texts.
absl::Status TrainTokenizer(const NewModel& model, const std::string& folder) {
  const NewTokenizer& recipe = model.tokenizer();
  ContentHash hash;
  hash.Add(absl::StrCat("byte-level BPE 1 ", recipe.vocab_size(), " ", model.max_position_embeddings()));
  const std::vector<std::string> paths(recipe.train_on().begin(), recipe.train_on().end());
  PLUMB_RETURN_IF_ERROR(ForEachText(paths, [&](absl::string_view text) {
    hash.Add(text);
    return absl::OkStatus();
  }));
  const std::string hash_path = absl::StrCat(folder, "/trained_on.sha1");
  if (FileExists(hash_path)) {
    PLUMB_ASSIGN_OR_RETURN(const std::string known, ReadFile(hash_path));
    if (known == hash.Hex()) return absl::OkStatus();
  }
  BpeTrainer trainer;
  PLUMB_RETURN_IF_ERROR(ForEachText(paths, [&](absl::string_view text) { return trainer.Add(text); }));
  PLUMB_ASSIGN_OR_RETURN(const TokenizerFiles files,
                         TrainChatTokenizer(trainer, recipe.vocab_size(), model.max_position_embeddings()));
  return WriteFolderAtomically(folder, [&](const std::string& temporary) -> absl::Status {
    PLUMB_RETURN_IF_ERROR(WriteFileAtomically(temporary + "/tokenizer.json", files.tokenizer_json));
    PLUMB_RETURN_IF_ERROR(
        WriteFileAtomically(temporary + "/tokenizer_config.json", files.tokenizer_config_json));
    return WriteFileAtomically(temporary + "/trained_on.sha1", hash.Hex());
  });
}

absl::StatusOr<TextModel> NewTextModel(const ModelSource& source, uint64_t seed,
                                       const std::string& tokenizer_folder) {
  const NewModel& recipe = source.from_scratch();
  const NewTokenizer& tokenizer = recipe.tokenizer();
  if (tokenizer.has_pretrained() == (tokenizer.train_on_size() > 0)) {
    return absl::InvalidArgumentError(
        "model.from_scratch.tokenizer: expected either pretrained (a folder) or train_on (files)");
  }
  std::string folder = tokenizer_folder;
  if (tokenizer.has_pretrained()) {
    folder = ResolveUserFile(tokenizer.pretrained());
  } else {
    PLUMB_RETURN_IF_ERROR(TrainTokenizer(recipe, folder));
  }
  TextModel text_model;
  PLUMB_ASSIGN_OR_RETURN(text_model.tokenizer, LoadTokenizer(folder));
  VocabularyInfo vocabulary;
  vocabulary.vocab_size = text_model.tokenizer->vocab_size();
  vocabulary.bos_token_id = text_model.tokenizer->bos_token_id();
  vocabulary.eos_token_id = text_model.tokenizer->eos_token_id();
  vocabulary.pad_token_id = text_model.tokenizer->TokenToId(kPaddingToken);
  PLUMB_ASSIGN_OR_RETURN(text_model.model,
                         NewCausalLm(recipe, vocabulary, RandomStream(seed, "model"), Dtype(source)));
  return text_model;
}

absl::StatusOr<TextModel> LoadedTextModel(const ModelSource& source) {
  const std::string folder = ResolveUserFile(source.pretrained());
  TextModel text_model;
  text_model.base_model_name = folder;
  const auto dtype = source.has_dtype() ? std::optional<at::ScalarType>(Dtype(source)) : std::nullopt;
  PLUMB_ASSIGN_OR_RETURN(text_model.model, LoadCausalLm(folder, dtype));
  PLUMB_ASSIGN_OR_RETURN(text_model.tokenizer, LoadTokenizer(folder));
  if (text_model.tokenizer->vocab_size() > text_model.model->config().vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": the tokenizer has ", text_model.tokenizer->vocab_size(),
                     " tokens, but the model only ", text_model.model->config().vocab_size));
  }
  return text_model;
}

absl::Status AddAdapters(const ModelSource& source, uint64_t seed, TextModel* text_model) {
  if (!source.has_adapter() && !source.has_lora()) return absl::OkStatus();
  // A PEFT folder names the folder of the weights that it goes on: they must be there as they are.
  if (!source.has_pretrained()) {
    return absl::InvalidArgumentError(
        "model: an adapter goes on pretrained weights: with from_scratch leave out lora and adapter");
  }
  if (source.has_adapter()) {
    if (source.has_lora()) {
      return absl::InvalidArgumentError(
          "model: lora starts a new adapter, adapter goes on with a trained one: leave out one of them");
    }
    PLUMB_ASSIGN_OR_RETURN(text_model->lora,
                           LoadAdapter(*text_model->model, ResolveUserFile(source.adapter())));
    return absl::OkStatus();
  }
  return StartAdapter(source.lora(), text_model->base_model_name, RandomStream(seed, "adapter"), text_model);
}

}  // namespace

void TextModel::VisitTrained(ParameterVisitor visitor) {
  lora.has_value() ? VisitAdapter(*model, visitor) : model->VisitParameters(visitor);
}

absl::StatusOr<TextModel> OpenTextModel(const ModelSource& source, uint64_t seed,
                                        const std::string& tokenizer_folder) {
  absl::StatusOr<TextModel> text_model;
  switch (source.source_case()) {
    case ModelSource::kPretrained:
      text_model = LoadedTextModel(source);
      break;
    case ModelSource::kFromScratch:
      text_model = NewTextModel(source, seed, tokenizer_folder);
      break;
    case ModelSource::SOURCE_NOT_SET:
      return absl::InvalidArgumentError("model: expected pretrained (a folder) or from_scratch");
  }
  PLUMB_RETURN_IF_ERROR(text_model.status());
  PLUMB_RETURN_IF_ERROR(AddAdapters(source, seed, &*text_model));
  return text_model;
}

absl::Status SaveTextModel(TextModel& text_model, const std::string& folder) {
  PLUMB_RETURN_IF_ERROR(text_model.lora.has_value() ? SaveAdapter(*text_model.model, *text_model.lora,
                                                                  text_model.base_model_name, folder)
                                                    : SaveCausalLm(*text_model.model, folder));
  return text_model.tokenizer->Save(folder);
}

void MergeAdapter(TextModel& text_model) {
  MergeAdapter(*text_model.model);
  text_model.lora.reset();
}

absl::Status StartAdapter(const Lora& lora, const std::string& base_model_name, const RandomStream& random,
                          TextModel* text_model) {
  text_model->lora = lora;
  text_model->base_model_name = base_model_name;
  return AddAdapter(*text_model->model, lora, random);
}

std::shared_ptr<CausalLm> FrozenCopy(TextModel& text_model) {
  std::map<std::string, at::Tensor> weights;
  const bool shared = text_model.lora.has_value();
  text_model.model->VisitParameters([&](const std::string& name, at::Tensor& weight) {
    weights[name] = shared ? weight.detach() : weight.detach().clone();
  });
  std::map<std::string, std::shared_ptr<LoraWeights>> adapters;
  text_model.model->VisitLinears([&](const std::string& name, Linear& linear) {
    if (linear.adapter == nullptr) return;
    adapters[name] = std::make_shared<LoraWeights>(*linear.adapter);
    adapters[name]->lora_a = linear.adapter->lora_a.detach().clone();
    adapters[name]->lora_b = linear.adapter->lora_b.detach().clone();
  });
  std::shared_ptr<CausalLm> copy = MakeCausalLm(text_model.model->config(), text_model.model->dtype());
  copy->VisitParameters([&](const std::string& name, at::Tensor& weight) { weight = weights.at(name); });
  copy->VisitLinears([&](const std::string& name, Linear& linear) {
    if (const auto adapter = adapters.find(name); adapter != adapters.end()) linear.adapter = adapter->second;
  });
  return copy;
}

std::vector<NamedParameter> TrainedParameters(TextModel& text_model) {
  std::vector<NamedParameter> parameters;
  text_model.VisitTrained([&](const std::string& name, at::Tensor& tensor) {
    tensor.set_requires_grad(true);
    parameters.push_back({name, tensor});
  });
  return parameters;
}

absl::Status RestoreMasterWeights(TextModel& text_model, const std::map<std::string, at::Tensor>& before,
                                  const std::map<std::string, at::Tensor>& optimizer_state) {
  if (text_model.lora.has_value() || c10::elementSize(text_model.model->dtype()) > 2) return absl::OkStatus();
  std::map<std::string, at::Tensor> stored;
  const std::map<std::string, at::Tensor>* const sources[] = {&before, &stored};
  if (!text_model.base_model_name.empty()) {
    // Of the dtype that it is stored in: nothing is copied.
    PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<CausalLm> folder, LoadCausalLm(text_model.base_model_name));
    if (c10::elementSize(folder->dtype()) > 2) {
      folder->VisitParameters(
          [&](const std::string& name, at::Tensor& weights) { stored["master." + name] = weights; });
    }
  }
  const at::NoGradGuard no_grad;
  text_model.model->VisitParameters([&](const std::string& parameter_name, at::Tensor& parameter) {
    const std::string name = "master." + parameter_name;
    const auto master = optimizer_state.find(name);
    if (master == optimizer_state.end()) return;
    for (const auto* source : sources) {
      const auto digits = source->find(name);
      if (digits == source->end() || !digits->second.to(parameter.scalar_type()).equal(parameter)) continue;
      master->second.copy_(digits->second);
      return;
    }
  });
  return absl::OkStatus();
}

std::string ModelHash(TextModel& text_model) {
  ContentHash hash;
  hash.Add(text_model.model->config().config_json);
  const auto add = [&](const std::string& name, at::Tensor& tensor) {
    hash.Add(name);
    hash.Add(tensor);
  };
  text_model.model->VisitParameters(add);
  text_model.model->VisitLinears([&](const std::string& name, Linear& linear) {
    if (linear.adapter == nullptr) return;
    hash.Add(absl::StrCat(name, " scaling ", linear.adapter->scaling));
    hash.Add(linear.adapter->lora_a);
    hash.Add(linear.adapter->lora_b);
  });
  return hash.Hex();
}

int64_t ParameterCount(TextModel& text_model) {
  int64_t count = 0;
  text_model.model->VisitParameters([&](const std::string&, at::Tensor& tensor) { count += tensor.numel(); });
  return count;
}

int64_t TrainedParameterCount(TextModel& text_model) {
  int64_t count = 0;
  text_model.VisitTrained([&](const std::string&, at::Tensor& tensor) { count += tensor.numel(); });
  return count;
}

}  // namespace plumb
