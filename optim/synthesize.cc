// Makes a synthetic table that tells little of any one row of the data it is like.

#include "optim/private/synthesize.h"

#include <iostream>

#include "common/config/recipe_flags.h"
#include "optim/private/synthesis.pb.h"

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::SynthesisRecipe>(
      argc, argv,
      "synthesize --recipe=FILE [--set=path.to.field=value ...]\n"
      "Writes a synthetic table whose marginals, and other shares of rows, are those of the data but for "
      "noise "
      "that\n"
      "hides each row: differentially private, by Private-GSD.",
      [](const plumb::SynthesisRecipe& recipe) { return plumb::Synthesize(recipe, std::cerr); });
}
