#include "common/nn/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/nn/json_fields.h"
#include "common/nn/layer_stack.h"
#include "common/nn/load_parameters.h"
#include "common/status/status_macros.h"
#include "common/tensor/safetensors.h"

namespace plumb {
namespace {

constexpr char kAllLinear[] = "all-linear";
constexpr char kPrefix[] = "base_model.model.";

std::string LastPart(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// PEFT: the whole name, or its end at a dot.
bool Matches(const std::string& name, const std::string& target) {
  return target == kAllLinear || name == target || absl::EndsWith(name, "." + target);
}

bool IsTarget(const std::string& name, const Lora& lora) {
  return std::any_of(lora.target_modules().begin(), lora.target_modules().end(),
                     [&](const std::string& target) { return Matches(name, target); });
}

std::string KnownTargets(CausalLm& model) {
  std::set<std::string> parts;
  model.VisitLinears([&](const std::string& name, Linear&) { parts.insert(LastPart(name)); });
  return absl::StrJoin(parts, ", ");
}

absl::Status CheckTargets(CausalLm& model, const Lora& lora, const std::string& where) {
  for (const std::string& target : lora.target_modules()) {
    bool found = false;
    model.VisitLinears([&](const std::string& name, Linear&) { found = found || Matches(name, target); });
    if (!found) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": target_modules: no linear layer is called '",
                                                     target, "'; there are ", KnownTargets(model), ", or \"",
                                                     kAllLinear, "\""));
    }
  }
  if (lora.target_modules().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": target_modules: is empty"));
  }
  return absl::OkStatus();
}

// Adapters of the right shapes on the meta device.
void AddMetaAdapter(CausalLm& model, const Lora& lora) {
  const at::ScalarType dtype = model.dtype() == at::kDouble ? at::kDouble : at::kFloat;
  const double rank = lora.use_rslora() ? std::sqrt(static_cast<double>(lora.r())) : lora.r();
  model.VisitLinears([&](const std::string& name, Linear& linear) {
    if (!IsTarget(name, lora)) return;
    linear.adapter = std::make_shared<LoraWeights>();
    linear.adapter->name = name;
    linear.adapter->lora_a = MetaTensor({lora.r(), linear.in_features()}, dtype);
    linear.adapter->lora_b = MetaTensor({linear.out_features(), lora.r()}, dtype);
    linear.adapter->scaling = lora.lora_alpha() / rank;
    linear.adapter->dropout = lora.lora_dropout();
  });
}

void RemoveAdapter(CausalLm& model) {
  model.VisitLinears([](const std::string&, Linear& linear) { linear.adapter = nullptr; });
}

// Fields of adapter_config.json that we read, or that change nothing in what an adapter computes.
bool IsKnownField(const std::string& name) {
  static const auto& known = *new std::set<std::string>{"peft_type",
                                                        "task_type",
                                                        "r",
                                                        "lora_alpha",
                                                        "lora_dropout",
                                                        "target_modules",
                                                        "use_rslora",
                                                        "bias",
                                                        "init_lora_weights",
                                                        "auto_mapping",
                                                        "base_model_name_or_path",
                                                        "fan_in_fan_out",
                                                        "inference_mode",
                                                        "peft_version",
                                                        "revision",
                                                        "megatron_core",
                                                        "qalora_group_size",
                                                        "lora_ga_config"};
  return known.count(name) != 0;
}

bool SaysNothing(const nlohmann::json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

void RefuseVariants(JsonFields* fields) {
  for (const auto& [name, value] : fields->json().items()) {
    if (!IsKnownField(name) && !SaysNothing(value)) fields->Fail(name, "is not supported");
  }
  if (const std::string type = fields->String("peft_type", ""); type != "LORA") {
    fields->Fail("peft_type", absl::StrCat("'", type, "' is not supported; supported is LORA"));
  }
  if (const std::string bias = fields->String("bias", "none"); bias != "none") {
    fields->Fail("bias", absl::StrCat("'", bias, "' is not supported; supported is none"));
  }
  // These starts change the base weights too (PiSSA, OLoRA, CorDA, LoftQ ...).
  if (!fields->Has("init_lora_weights")) return;
  const nlohmann::json& start = fields->json()["init_lora_weights"];
  if (!start.is_boolean() && start != "gaussian" && start != "eva" && start != "orthogonal") {
    fields->Fail("init_lora_weights",
                 absl::StrCat(start.dump(), " is not supported: it changes the base weights"));
  }
}

void ReadTargets(JsonFields* fields, Lora* lora) {
  const auto found = fields->json().find("target_modules");
  if (found == fields->json().end() || found->is_null()) return fields->Fail("target_modules", "is missing");
  if (*found == kAllLinear) return lora->add_target_modules(kAllLinear);
  if (!found->is_array()) {
    return fields->Fail("target_modules", "expected a list of names (regular expressions are not supported)");
  }
  for (const nlohmann::json& target : *found) {
    if (!target.is_string()) return fields->Fail("target_modules", "expected a list of names");
    lora->add_target_modules(target.get<std::string>());
  }
}

absl::StatusOr<Lora> ParseAdapterConfig(const std::string& text, const std::string& where) {
  PLUMB_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text, where));
  JsonFields fields(json, where);
  RefuseVariants(&fields);
  Lora lora;
  lora.set_r(fields.RequiredInteger("r", 1, 65536));
  lora.set_lora_alpha(fields.Number("lora_alpha", 8));
  lora.set_lora_dropout(fields.Number("lora_dropout", 0));
  if (lora.lora_dropout() < 0 || lora.lora_dropout() >= 1) fields.Fail("lora_dropout", "expected 0 up to 1");
  lora.set_use_rslora(fields.Boolean("use_rslora", false));
  ReadTargets(&fields, &lora);
  PLUMB_RETURN_IF_ERROR(fields.status());
  return lora;
}

nlohmann::json AdapterConfigJson(CausalLm& model, const Lora& lora, const std::string& base) {
  std::set<std::string> targets(lora.target_modules().begin(), lora.target_modules().end());
  bool input_major = false;
  if (targets.count(kAllLinear) != 0) targets.clear();
  const bool all = targets.empty();
  model.VisitLinears([&](const std::string& name, Linear& linear) {
    if (linear.adapter == nullptr) return;
    if (all) targets.insert(LastPart(name));
    input_major = linear.input_major;
  });
  return {
      {"base_model_name_or_path", base},
      {"bias", "none"},
      {"fan_in_fan_out", input_major},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"lora_alpha", lora.lora_alpha()},
      {"lora_dropout", lora.lora_dropout()},
      {"modules_to_save", nullptr},
      {"peft_type", "LORA"},
      {"r", lora.r()},
      {"target_modules", targets},
      {"task_type", "CAUSAL_LM"},
      {"use_dora", false},
      {"use_rslora", lora.use_rslora()},
  };
}

}  // namespace

absl::Status AddAdapter(CausalLm& model, const Lora& lora, const RandomStream& random) {
  PLUMB_RETURN_IF_ERROR(CheckTargets(model, lora, "lora"));
  if (HasAdapter(model)) {
    return absl::FailedPreconditionError(
        "lora: the model has an adapter; merge it before a new one is trained");
  }
  AddMetaAdapter(model, lora);
  model.VisitLinears([&](const std::string& name, Linear& linear) {
    if (linear.adapter == nullptr) return;
    at::Tensor &a = linear.adapter->lora_a, &b = linear.adapter->lora_b;
    // kaiming_uniform_(a = sqrt(5)): within +-1 / sqrt(in).
    const double bound = 1 / std::sqrt(static_cast<double>(linear.in_features()));
    a = random.Child(name).UniformTensor(a.sizes(), a.scalar_type()).mul_(2 * bound).sub_(bound);
    b = at::zeros(b.sizes(), b.scalar_type());
  });
  return absl::OkStatus();
}

void VisitAdapter(CausalLm& model, ParameterVisitor visitor) {
  model.VisitLinears([&](const std::string& name, Linear& linear) {
    if (linear.adapter == nullptr) return;
    visitor(absl::StrCat(kPrefix, name, ".lora_A.weight"), linear.adapter->lora_a);
    visitor(absl::StrCat(kPrefix, name, ".lora_B.weight"), linear.adapter->lora_b);
  });
}

bool HasAdapter(CausalLm& model) {
  bool found = false;
  VisitAdapter(model, [&](const std::string&, at::Tensor&) { found = true; });
  return found;
}

absl::StatusOr<Lora> LoadAdapter(CausalLm& model, const std::string& folder) {
  const std::string config_path = absl::StrCat(folder, "/adapter_config.json");
  PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path));
  PLUMB_ASSIGN_OR_RETURN(Lora lora, ParseAdapterConfig(text, config_path));
  PLUMB_RETURN_IF_ERROR(CheckTargets(model, lora, config_path));
  const std::string weights_path = absl::StrCat(folder, "/adapter_model.safetensors");
  PLUMB_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Open(weights_path));
  if (HasAdapter(model)) {
    return absl::FailedPreconditionError(absl::StrCat(config_path, ": the model has an adapter already"));
  }
  AddMetaAdapter(model, lora);
  const auto visit = [&](ParameterVisitor visitor) { VisitAdapter(model, visitor); };
  if (absl::Status status = LoadParameters(file, weights_path, visit); !status.ok()) {
    RemoveAdapter(model);
    return status;
  }
  return lora;
}

absl::Status SaveAdapter(CausalLm& model, const Lora& lora, const std::string& base_model_name_or_path,
                         const std::string& folder) {
  std::vector<NamedTensor> tensors;
  VisitAdapter(model, [&](const std::string& name, at::Tensor& tensor) {
    tensors.push_back({name, tensor.detach()});
  });
  PLUMB_RETURN_IF_ERROR(WriteSafetensors(absl::StrCat(folder, "/adapter_model.safetensors"), tensors));
  return WriteFileAtomically(absl::StrCat(folder, "/adapter_config.json"),
                             AdapterConfigJson(model, lora, base_model_name_or_path).dump(2) + "\n");
}

void MergeAdapter(CausalLm& model) {
  at::NoGradGuard no_grad;
  model.VisitLinears([](const std::string&, Linear& linear) {
    if (linear.adapter == nullptr) return;
    at::Tensor change = at::mm(linear.adapter->lora_b, linear.adapter->lora_a) * linear.adapter->scaling;
    if (linear.input_major) change = change.t();
    linear.weight = (linear.weight.to(change.scalar_type()) + change).to(linear.weight.scalar_type());
    linear.adapter = nullptr;
  });
}

}  // namespace plumb
