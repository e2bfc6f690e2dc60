#ifndef PLUMB_COMMON_NN_LORA_H_
#define PLUMB_COMMON_NN_LORA_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/nn/causal_lm.h"
#include "common/nn/model.pb.h"

namespace plumb {

// Puts a fresh adapter on the modules that `lora` targets: A kaiming-uniform, B zero as in PEFT, so the model
// computes what it did. An error names a target that no module has.
absl::Status AddAdapter(CausalLm& model, const Lora& lora, const RandomStream& random);

// The adapter's tensors under PEFT's names
// ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight").
void VisitAdapter(CausalLm& model, ParameterVisitor visitor);
bool HasAdapter(CausalLm& model);

// PEFT folders: adapter_config.json and adapter_model.safetensors. What PEFT offers and we do not (use_dora,
// modules_to_save, ...) is refused by its name.
absl::StatusOr<Lora> LoadAdapter(CausalLm& model, const std::string& folder);
absl::Status SaveAdapter(CausalLm& model, const Lora& lora, const std::string& base_model_name_or_path,
                         const std::string& folder);

// Adds scaling * B A to the weights and removes the adapter.
void MergeAdapter(CausalLm& model);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LORA_H_
