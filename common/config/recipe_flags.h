#ifndef PLUMB_COMMON_CONFIG_RECIPE_FLAGS_H_
#define PLUMB_COMMON_CONFIG_RECIPE_FLAGS_H_

#include <google/protobuf/message.h>

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/program/program.h"

namespace plumb {

// A program that links this has the flags --recipe=FILE, --set=path.to.field=value (any number of them) and
// --print_recipe.

// The recipe that --recipe and --set describe; --set alone is enough for a small one.
absl::Status RecipeFromFlags(google::protobuf::Message* recipe);

// Whether --print_recipe was given: the program should print PrintResolved(recipe) and end.
bool PrintRecipeRequested();

// Prints PrintResolved(recipe) on standard output.
void PrintRecipe(const google::protobuf::Message& recipe);

// The main() of a program that does what a recipe says.
template <typename Recipe>
int RunRecipeProgram(int argc, char** argv, absl::string_view usage,
                     const std::function<absl::Status(const Recipe&)>& body) {
  return RunProgram(argc, argv, usage, [&body]() -> absl::Status {
    Recipe recipe;
    if (const absl::Status loaded = RecipeFromFlags(&recipe); !loaded.ok()) return loaded;
    if (!PrintRecipeRequested()) return body(recipe);
    PrintRecipe(recipe);
    return absl::OkStatus();
  });
}

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_RECIPE_FLAGS_H_
