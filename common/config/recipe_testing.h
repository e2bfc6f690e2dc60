#ifndef PLUMB_COMMON_CONFIG_RECIPE_TESTING_H_
#define PLUMB_COMMON_CONFIG_RECIPE_TESTING_H_

#include <filesystem>
#include <string>

#include "common/config/recipe.h"
#include "common/config/resolved.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {

// That all recipes of a pattern of runfiles ("alignment/recipes/*.textproto") load, and load again as they
// are printed, and that each has the name of its file.
template <typename Recipe>
void ExpectRecipesLoadAgain(const std::string& pattern) {
  const auto files = ExpandGlob(Runfile(pattern));
  PLUMB_ASSERT_OK(files);
  for (const std::string& file : *files) {
    Recipe recipe, again;
    PLUMB_EXPECT_OK(LoadRecipe(file, {}, &recipe));
    const std::string resolved = PrintResolved(recipe);
    PLUMB_EXPECT_OK(ParseRecipe(resolved, file, {}, &again));
    EXPECT_EQ(PrintResolved(again), resolved);
    EXPECT_EQ(recipe.name() + ".textproto", std::filesystem::path(file).filename());
  }
}

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_RECIPE_TESTING_H_
