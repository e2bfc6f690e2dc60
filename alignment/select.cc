// Chooses what of a preference set is learnt.

#include <cstdio>

#include "alignment/selection/select.pb.h"
#include "alignment/selection/select_recipe.h"
#include "common/config/recipe_flags.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::Status Select(const SelectRecipe& recipe) {
  PLUMB_ASSIGN_OR_RETURN(const std::vector<StepCounts> counts, SelectFromRecipe(recipe));
  for (const StepCounts& step : counts) {
    std::printf("%-28s %10lld rows in %10lld out%s%s\n", step.step.c_str(),
                static_cast<long long>(step.rows_in), static_cast<long long>(step.rows_out),
                step.figures.empty() ? "" : "   ", step.figures.c_str());
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::SelectRecipe>(argc, argv,
                                                      "select --recipe=FILE [--set=path.to.field=value ...]\n"
                                                      "Takes preference data through the steps of a recipe "
                                                      "(filters, mixes, pairs) and writes what is left as "
                                                      "JSON lines.",
                                                      plumb::Select);
}
