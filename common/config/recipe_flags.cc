#include "common/config/recipe_flags.h"

#include <gflags/gflags.h>

#include <cstdio>
#include <string>

#include "common/config/recipe.h"
#include "common/config/resolved.h"
#include "common/program/flags.h"

DEFINE_string(recipe, "", "the recipe of the run, a .textproto file");
DEFINE_bool(print_recipe, false, "print the recipe with all defaults and overrides, and end");

namespace plumb {
namespace {

RepeatedFlag set_flag("set", "path.to.field=value over the recipe's; may be given many times");

}  // namespace

absl::Status RecipeFromFlags(google::protobuf::Message* recipe) {
  if (FLAGS_recipe.empty()) {
    if (!set_flag.values().empty()) return ParseRecipe("", "--set", set_flag.values(), recipe);
    return absl::InvalidArgumentError("--recipe: must be given: --recipe=FILE.textproto");
  }
  return LoadRecipe(FLAGS_recipe, set_flag.values(), recipe);
}

bool PrintRecipeRequested() { return FLAGS_print_recipe; }

void PrintRecipe(const google::protobuf::Message& recipe) {
  std::fputs(PrintResolved(recipe).c_str(), stdout);
}

}  // namespace plumb
