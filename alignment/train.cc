// Trains a model by the stages of a recipe: SFT, reward modelling, DPO and its kin.

#include <gflags/gflags.h>

#include "alignment/recipe.pb.h"
#include "alignment/train_recipe.h"
#include "common/config/recipe_flags.h"

DEFINE_string(resume, "auto",
              "auto: go on where an earlier run of this recipe stopped; never: from the start");

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::AlignmentRecipe>(
      argc, argv,
      "train --recipe=FILE [--set=path.to.field=value ...]\n"
      "Trains a model by the stages of a recipe, and writes the models and report.html to its output folder.",
      [](const plumb::AlignmentRecipe& recipe) { return plumb::TrainRecipe(recipe, FLAGS_resume); });
}
