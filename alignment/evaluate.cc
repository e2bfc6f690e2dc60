// Figures of a model on held-out data.

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "alignment/evaluate_recipe.h"
#include "alignment/recipe.pb.h"
#include "common/config/recipe_flags.h"
#include "common/files/files.h"
#include "common/status/status_macros.h"
#include "common/train/progress.h"

namespace plumb {
namespace {

absl::Status Evaluate(const EvaluateRecipe& recipe) {
  PLUMB_ASSIGN_OR_RETURN(const auto figures, EvaluateFromRecipe(recipe));
  for (const auto& [name, value] : figures) {
    std::printf("%-28s %12s\n", name.c_str(), FormatMetric(value).c_str());
  }
  if (recipe.output_file().empty()) return absl::OkStatus();
  return WriteFileAtomically(recipe.output_file(), nlohmann::json(figures).dump(2) + "\n");
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::EvaluateRecipe>(
      argc, argv,
      "evaluate --set=model.pretrained=FOLDER --set=data.preference.path=FILE [--recipe=FILE] [--set=...]\n"
      "Perplexity and preference accuracy on held-out data; with --set=reference.pretrained=FOLDER also "
      "rewards, "
      "margins and the KL divergence.",
      plumb::Evaluate);
}
