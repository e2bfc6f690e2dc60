// Text from a model.

#include <iostream>

#include "alignment/generate_recipe.h"
#include "alignment/recipe.pb.h"
#include "common/config/recipe_flags.h"

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::GenerateRecipe>(
      argc, argv,
      "generate --set=model.pretrained=FOLDER --set=prompt=TEXT [--recipe=FILE] [--set=path.to.field=value "
      "...]\n"
      "Continues or answers prompts. Without a prompt, reads them from standard input, one a line.",
      [](const plumb::GenerateRecipe& recipe) {
        return plumb::GenerateFromRecipe(recipe, std::cin, std::cout);
      });
}
