#include <cstdio>

#include "common/config/recipe_flags.h"
#include "common/config/sample_recipe.pb.h"

int main(int argc, char** argv) {
  return plumb::RunRecipeProgram<plumb::SampleRecipe>(argc, argv, "sample --recipe=FILE\nPrints the name.",
                                                      [](const plumb::SampleRecipe& recipe) {
                                                        std::printf("name=%s\n", recipe.name().c_str());
                                                        return absl::OkStatus();
                                                      });
}
