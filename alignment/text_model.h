#ifndef PLUMB_ALIGNMENT_TEXT_MODEL_H_
#define PLUMB_ALIGNMENT_TEXT_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/data/tokenizer.h"
#include "common/nn/causal_lm.h"
#include "common/nn/model.pb.h"
#include "common/tensor/random.h"
#include "common/train/optimizer.h"

namespace plumb {

// A language model with its tokenizer, and with an adapter where a recipe asks for one.
struct TextModel {
  std::shared_ptr<CausalLm> model;
  std::shared_ptr<Tokenizer> tokenizer;
  std::optional<Lora> lora;     // of the adapter that is on the model
  std::string base_model_name;  // the folder it came from: PEFT's base_model_name_or_path

  // The adapter's weights, or all when there is no adapter.
  void VisitTrained(ParameterVisitor visitor);
};

// Loads or makes what `source` says. A new tokenizer is trained and written to `tokenizer_folder` (and read
// from there when it was trained on the same before). `seed` decides new weights.
absl::StatusOr<TextModel> OpenTextModel(const ModelSource& source, uint64_t seed,
                                        const std::string& tokenizer_folder);

// A folder for transformers, or with an adapter for PEFT; the tokenizer's files in both. The folder exists.
absl::Status SaveTextModel(TextModel& text_model, const std::string& folder);

// Adds the adapter to the model's weights, so that it is a model without one, saved as a whole.
void MergeAdapter(TextModel& text_model);

// Puts a fresh adapter on a model without one, whose weights `base_model_name` holds.
absl::Status StartAdapter(const Lora& lora, const std::string& base_model_name, const RandomStream& random,
                          TextModel* text_model);

// What computes as the model does now and stays so when the model is trained on: weights that are not trained
// are shared, all others copied.
std::shared_ptr<CausalLm> FrozenCopy(TextModel& text_model);

// What an optimizer gets: requires_grad is switched on for these.
std::vector<NamedParameter> TrainedParameters(TextModel& text_model);

// 16-bit weights that are roundings: gives the f32 master weights of an optimizer of TrainedParameters(),
// "master.NAME" of its State(), the digits that the optimizer before it left (`before`, its State()), or else
// those that the model's folder holds. Without them steps are lost that are small against a rounding, until
// they add up. Weights that are roundings of neither stay as they are.
absl::Status RestoreMasterWeights(TextModel& text_model, const std::map<std::string, at::Tensor>& before,
                                  const std::map<std::string, at::Tensor>& optimizer_state);

// SHA-1 of all that decides what the model computes.
std::string ModelHash(TextModel& text_model);

int64_t ParameterCount(TextModel& text_model);
int64_t TrainedParameterCount(TextModel& text_model);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_TEXT_MODEL_H_
