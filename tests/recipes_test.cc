#include <set>
#include <string>

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

TEST(Recipes, EveryObjectiveHasOne) {
  std::set<std::string> named;
  const auto files = ExpandGlob(Runfile("alignment/recipes/*.textproto"));
  PLUMB_ASSERT_OK(files);
  const auto* oneof = ObjectiveConfig::descriptor()->FindOneofByName("objective");
  for (const std::string& file : *files) {
    AlignmentRecipe recipe;
    PLUMB_ASSERT_OK(LoadRecipe(file, {}, &recipe));
    for (const Stage& stage : recipe.stage()) {
      for (const ObjectiveConfig& objective : stage.objective()) {
        named.insert(ObjectiveConfig::descriptor()->FindFieldByNumber(objective.objective_case())->name());
      }
    }
  }
  for (int i = 0; i < oneof->field_count(); ++i) {
    EXPECT_EQ(named.count(oneof->field(i)->name()), 1u) << oneof->field(i)->name();
  }
}

}  // namespace
}  // namespace plumb
