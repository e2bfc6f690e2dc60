#ifndef PLUMB_ALIGNMENT_RECIPE_CHECKS_H_
#define PLUMB_ALIGNMENT_RECIPE_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "common/nn/model.pb.h"
#include "common/nn/model_config.h"

namespace plumb {

// What a program that asks a model can tell before it begins. `field` ("model") begins the message.
absl::Status CheckIsPretrained(const ModelSource& source, const std::string& field);

// That there is a folder to write the recipe's `field` into; an empty one is not written.
absl::Status CheckOutputFile(const std::string& output_file, const std::string& field = "output_file");

// That what `field` names ("reference") reads the model's tokens.
absl::Status CheckSameVocabulary(const ModelConfig& other, const ModelConfig& model,
                                 const std::string& field);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_RECIPE_CHECKS_H_
