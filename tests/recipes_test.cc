#include <filesystem>

#include "alignment/recipe.pb.h"
#include "common/config/limits.h"
#include "common/config/recipe.h"
#include "common/config/resolved.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(Recipes, DeclareLimitsThatTheirDefaultsKeep) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*AlignmentRecipe::descriptor()));
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*GenerateRecipe::descriptor()));
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*EvaluateRecipe::descriptor()));
}

TEST(Recipes, AllLoadAndLoadAgainAsTheyArePrinted) {
  const auto files = ExpandGlob(Runfile("alignment/recipes/*.textproto"));
  PLUMB_ASSERT_OK(files);
  for (const std::string& file : *files) {
    AlignmentRecipe recipe, again;
    PLUMB_EXPECT_OK(LoadRecipe(file, {}, &recipe));
    const std::string resolved = PrintResolved(recipe);
    PLUMB_EXPECT_OK(ParseRecipe(resolved, file, {}, &again));
    EXPECT_EQ(PrintResolved(again), resolved);
    EXPECT_EQ(recipe.name() + ".textproto", std::filesystem::path(file).filename());
  }
}

}  // namespace
}  // namespace plumb
