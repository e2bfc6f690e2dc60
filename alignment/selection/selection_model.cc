#include "absl/strings/str_cat.h"
#include "alignment/recipe_checks.h"
#include "alignment/selection/selection_pass.h"
#include "common/nn/model_config.h"
#include "common/status/status_macros.h"

namespace plumb {

absl::Status CheckPositions(int64_t max_length, const ModelConfig& model, const std::string& field) {
  const int64_t positions = MaxPositions(model);
  if (max_length <= positions) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ".max_length: ", max_length,
                                                 " is more than the model's ", positions, " positions"));
}

absl::StatusOr<TextModel> OpenSelectionModel(const ModelSource& source, int64_t max_length,
                                             const PassContext& context, const std::string& field) {
  PLUMB_RETURN_IF_ERROR(CheckIsPretrained(source, field + ".model"));
  PLUMB_ASSIGN_OR_RETURN(TextModel model, OpenTextModel(source, context.seed, /*tokenizer_folder=*/""));
  PLUMB_RETURN_IF_ERROR(CheckPositions(max_length, model.model->config(), field));
  return model;
}

}  // namespace plumb
