#include "common/config/resolved.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/recipe.h"
#include "common/config/sample_recipe.pb.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::ElementsAre;

SampleRecipe Parsed(const std::string& text) {
  SampleRecipe recipe;
  PLUMB_EXPECT_OK(ParseRecipe("name: 'run' stage { name: 'a' }" + text, "r", {}, &recipe));
  return recipe;
}

constexpr char kResolved[] = R"(name: "run é"
seed: 42
threads: 0
model {
  pretrained: "gpt2"
  tied: true
}
stage {
  name: "dpo"
  objective {
    dpo {
      beta: 0.2
      label_smoothing: 0
    }
    weight: 1
  }
  data {
    max_length: 7
  }
}
training {
  max_steps: -1
  learning_rate: 1e-06
}
)";

TEST(ResolvedTest, FillsInEveryDefault) {
  SampleRecipe recipe;
  PLUMB_ASSERT_OK(
      ParseRecipe("name: 'run é' model { pretrained: 'gpt2' } stage { name: 'dpo' "
                  "objective { dpo { beta: 0.2 } } data { max_length: 7 } }",
                  "r", {}, &recipe));
  EXPECT_EQ(PrintResolved(recipe), kResolved);

  SampleRecipe again;
  PLUMB_ASSERT_OK(ParseRecipe(PrintResolved(recipe), "resolved", {}, &again));
  EXPECT_EQ(PrintResolved(again), kResolved);
  EXPECT_EQ(RecipeHash(again), RecipeHash(recipe));
}

TEST(ResolvedTest, HashDependsOnWhatIsRunAndNothingElse) {
  EXPECT_EQ(RecipeHash(Parsed("")), RecipeHash(Parsed("seed: 42 # the default\n training {}")));
  EXPECT_NE(RecipeHash(Parsed("")), RecipeHash(Parsed("seed: 43")));
  EXPECT_EQ(RecipeHash(Parsed("")), "b6ea976859553e73");
}

TEST(ResolvedTest, NamesTheFieldsThatDiffer) {
  const SampleRecipe before = Parsed(
      "data { path: 'a' } stage { name: 'b' objective { dpo { beta: 0.1 } } } training { learning_rate: 1e-6 "
      "}");
  EXPECT_THAT(DifferingFields(before, before), ElementsAre());
  const SampleRecipe after = Parsed(
      "seed: 7 data { path: ['a', 'c'] } stage { name: 'b' objective { dpo { beta: 0.3 } weight: 2 } } "
      "model { pretrained: 'm' } training { max_steps: -1 }");
  EXPECT_THAT(DifferingFields(before, after),
              ElementsAre("seed: 42 -> 7", "model: not set -> { pretrained: \"m\" tied: true }",
                          "data.path[1]: not set -> \"c\"", "stage[1].objective[0].dpo.beta: 0.1 -> 0.3",
                          "stage[1].objective[0].weight: 1 -> 2"));
  EXPECT_THAT(DifferingFields(before, after,
                              {"plumb.SampleRecipe.seed", "plumb.SampleRecipe.model", "plumb.SampleData.path",
                               "plumb.SampleDpo.beta"}),
              ElementsAre("stage[1].objective[0].weight: 1 -> 2"));
  EXPECT_THAT(
      DifferingFields(after, before, {"plumb.SampleRecipe.stage", "seed", "plumb.SampleRecipe.model"}),
      ElementsAre("seed: 7 -> 42", "data.path[1]: \"c\" -> not set"));
}

TEST(ResolvedTest, AnotherRecipeIsRefusedByItsFirstDifference) {
  SampleRecipe before;
  before.set_name("run");
  SampleRecipe after = before;
  EXPECT_TRUE(CheckSameRecipe("runs/a", before, after).ok());
  after.set_seed(7);
  after.mutable_data()->set_max_length(5);
  EXPECT_TRUE(
      CheckSameRecipe("runs/a", before, after, {"plumb.SampleRecipe.seed", "plumb.SampleRecipe.data"}).ok());
  const absl::Status refused = CheckSameRecipe("runs/a", before, after);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(),
            "runs/a was made by a different recipe: seed: 42 -> 7; change it back, choose another output "
            "folder, or start afresh with --resume=never");
}

TEST(ResolvedTest, MergesFieldByField) {
  SampleRecipe base = Parsed(
      "seed: 1 model { pretrained: 'm' tied: false } data { path: ['a', 'b'] max_length: 5 } training { "
      "max_steps: 9 }");
  SampleRecipe over;
  over.set_seed(2);
  over.mutable_data()->add_path("c");
  over.mutable_model()->mutable_from_scratch()->set_hidden_size(8);
  MergeOver(over, &base);
  EXPECT_EQ(base.seed(), 2);
  EXPECT_EQ(base.data().DebugString(), "path: \"c\"\nmax_length: 5\n");
  EXPECT_EQ(base.model().DebugString(), "from_scratch {\n  hidden_size: 8\n}\ntied: false\n");
  EXPECT_EQ(base.training().max_steps(), 9);
  EXPECT_EQ(base.name(), "run");
  EXPECT_EQ(base.stage_size(), 1) << "an empty list replaces nothing";
}

}  // namespace
}  // namespace plumb
