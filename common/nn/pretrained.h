#ifndef PLUMB_COMMON_NN_PRETRAINED_H_
#define PLUMB_COMMON_NN_PRETRAINED_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/nn/causal_lm.h"
#include "common/nn/reward_model.h"

namespace plumb {

// Reads a Hugging Face folder: config.json, generation_config.json if there, and model.safetensors or the
// shards of model.safetensors.index.json. Weights become `dtype` (default: the one config.json names); those
// that are stored so already are not copied but stay in the mapped file, private to this process when written
// to. Every tensor that is missing, unexpected or mis-shaped is named.
absl::StatusOr<std::unique_ptr<CausalLm>> LoadCausalLm(const std::string& folder,
                                                       std::optional<at::ScalarType> dtype = std::nullopt);

// Writes config.json, generation_config.json (when the model came with one) and the weights into the existing
// folder, as transformers opens them. Adapters are not written: see common/nn/lora.h.
absl::Status SaveCausalLm(CausalLm& model, const std::string& folder);

// The same for transformers' ...ForSequenceClassification with one label.
absl::StatusOr<RewardModel> LoadRewardModel(const std::string& folder,
                                            std::optional<at::ScalarType> dtype = std::nullopt);
absl::Status SaveRewardModel(RewardModel& model, const std::string& folder);

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_PRETRAINED_H_
