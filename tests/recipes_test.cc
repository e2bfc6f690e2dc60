#include "alignment/recipe.pb.h"
#include "common/config/limits.h"
#include "common/config/recipe_testing.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(Recipes, DeclareLimitsThatTheirDefaultsKeep) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*AlignmentRecipe::descriptor()));
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*GenerateRecipe::descriptor()));
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*EvaluateRecipe::descriptor()));
}

TEST(Recipes, AllLoadAndLoadAgainAsTheyArePrinted) {
  ExpectRecipesLoadAgain<AlignmentRecipe>("alignment/recipes/*.textproto");
}

}  // namespace
}  // namespace plumb
