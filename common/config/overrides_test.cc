#include "common/config/overrides.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/config/sample_recipe.pb.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

SampleRecipe With(std::initializer_list<const char*> overrides) {
  SampleRecipe recipe;
  for (const char* text : overrides) PLUMB_EXPECT_OK(ApplyOverride(text, &recipe));
  return recipe;
}

// What follows "--set OVERRIDE: ".
std::string ErrorOf(const std::string& text, SampleRecipe recipe = {}) {
  const std::string before = recipe.DebugString();
  const absl::Status status = ApplyOverride(text, &recipe);
  EXPECT_EQ(recipe.DebugString(), before) << "a refused override changes nothing";
  const std::string prefix = absl::StrCat("--set ", text, ": ");
  EXPECT_EQ(status.message().substr(0, prefix.size()), prefix);
  return std::string(status.message().substr(std::min(prefix.size(), status.message().size())));
}

TEST(OverridesTest, SetsEveryTypeOfValue) {
  const SampleRecipe recipe = With({"name=my run = 3", "seed=18446744073709551615", "threads=0x10",
                                    "model.tied=false", "data.truncation_mode=KEEP_END",
                                    "training.learning_rate=1e-5", "model.from_scratch.hidden_size=-5",
                                    "model.from_scratch.dropout=.5", "data.separator=\"\\n\\x00\""});
  EXPECT_EQ(recipe.name(), "my run = 3");
  EXPECT_EQ(recipe.seed(), 18446744073709551615u);
  EXPECT_EQ(recipe.threads(), 16);
  EXPECT_FALSE(recipe.model().tied());
  EXPECT_EQ(recipe.data().truncation_mode(), SampleData::KEEP_END);
  EXPECT_EQ(recipe.training().learning_rate(), 1e-5);
  EXPECT_EQ(recipe.model().from_scratch().hidden_size(), -5);
  EXPECT_EQ(recipe.model().from_scratch().dropout(), 0.5f);
  EXPECT_EQ(recipe.data().separator(), std::string("\n\0", 2));
}

TEST(OverridesTest, StringsNeedNoQuotesAndMayHaveThem) {
  EXPECT_EQ(With({"name=a b"}).name(), "a b");
  EXPECT_EQ(With({"name=\"a\\tb\""}).name(), "a\tb");
  EXPECT_EQ(With({"name='quoted'"}).name(), "quoted");
  EXPECT_EQ(With({"name=it's"}).name(), "it's");
  EXPECT_EQ(With({"name=[a]"}).name(), "[a]");
  EXPECT_TRUE(With({"name="}).has_name());
}

TEST(OverridesTest, SetsListsAndElements) {
  SampleRecipe recipe = With({"data.path=[a.jsonl, \"b,c\" ,d]"});
  EXPECT_EQ(recipe.data().DebugString(), "path: \"a.jsonl\"\npath: \"b,c\"\npath: \"d\"\n");
  PLUMB_ASSERT_OK(ApplyOverride("data.path[1]=x", &recipe));
  EXPECT_EQ(recipe.data().DebugString(), "path: \"a.jsonl\"\npath: \"x\"\npath: \"d\"\n");
  PLUMB_ASSERT_OK(ApplyOverride("data.path[3]=end", &recipe));
  EXPECT_EQ(recipe.data().path(3), "end");
  PLUMB_ASSERT_OK(ApplyOverride("data.path=one", &recipe));
  EXPECT_EQ(recipe.data().DebugString(), "path: \"one\"\n");
  PLUMB_ASSERT_OK(ApplyOverride("data.path=[]", &recipe));
  EXPECT_EQ(recipe.data().path_size(), 0);
  EXPECT_EQ(With({"model.from_scratch.kernel_size=[3,5 , 7]"}).model().from_scratch().kernel_size(2), 7);
  EXPECT_EQ(With({"data.mode=[KEEP_END,KEEP_START]"}).data().mode(0), SampleData::KEEP_END);
}

TEST(OverridesTest, SetsMessages) {
  SampleRecipe recipe =
      With({"stage[0].objective[0].dpo.beta=0.3", "stage[0].objective[1]={sft{} weight: 0.5}"});
  EXPECT_EQ(recipe.stage(0).objective(0).dpo().beta(), 0.3);
  EXPECT_EQ(recipe.stage(0).objective(1).weight(), 0.5);
  PLUMB_ASSERT_OK(ApplyOverride("stage[0].objective[0]={sft{}}", &recipe));
  EXPECT_TRUE(recipe.stage(0).objective(0).has_sft());
  EXPECT_EQ(recipe.stage(0).objective_size(), 2);
  PLUMB_ASSERT_OK(ApplyOverride("stage[0].objective=[{dpo{beta: 1}}, {sft{}}, {sft{} weight: 2}]", &recipe));
  EXPECT_EQ(recipe.stage(0).objective_size(), 3);
  PLUMB_ASSERT_OK(ApplyOverride("training={max_steps: 3}", &recipe));
  PLUMB_ASSERT_OK(ApplyOverride("training={learning_rate: 1}", &recipe));
  EXPECT_FALSE(recipe.training().has_max_steps()) << "a message value replaces the whole message";
}

TEST(OverridesTest, SwitchesOneofs) {
  SampleRecipe recipe = With({"model.pretrained=gpt2"});
  PLUMB_ASSERT_OK(ApplyOverride("model.from_scratch.hidden_size=8", &recipe));
  EXPECT_EQ(recipe.model().source_case(), SampleModel::kFromScratch);
  PLUMB_ASSERT_OK(ApplyOverride("model.pretrained=gpt2", &recipe));
  EXPECT_EQ(recipe.model().source_case(), SampleModel::kPretrained);
  PLUMB_ASSERT_OK(ApplyOverride("model.from_scratch={}", &recipe));
  EXPECT_EQ(recipe.model().source_case(), SampleModel::kFromScratch);
}

TEST(OverridesTest, NamesWhatIsWrongWithThePath) {
  EXPECT_EQ(ErrorOf("nme=x"), "SampleRecipe has no field 'nme'; did you mean 'name'?");
  EXPECT_EQ(ErrorOf("stage[0].nme=x"), "SampleStage has no field 'nme'; did you mean 'name'?");
  EXPECT_EQ(ErrorOf("learning_rate=1"),
            "SampleRecipe has no field 'learning_rate'; did you mean 'training.learning_rate'?");
  EXPECT_EQ(ErrorOf("zebra=1"),
            "SampleRecipe has no field 'zebra'; valid are name, seed, threads, model, data, stage, training");
  EXPECT_EQ(ErrorOf("training..max_steps=1"),
            "SampleTraining has no field ''; valid are max_steps, learning_rate");
  EXPECT_EQ(ErrorOf("seed.x=1"), "'seed' has no fields; expected an integer of 0 or more as its value");
  EXPECT_EQ(ErrorOf("seed[0]=1"), "'seed' is no list; leave out [0]");
  EXPECT_EQ(ErrorOf("stage.name=x"), "'stage' is a list; say which element, e.g. stage[0]");
  EXPECT_EQ(ErrorOf("stage[2].name=x"), "stage has 0 elements; the next one is stage[0]");
  EXPECT_EQ(ErrorOf("data.path[2]=x", With({"data.path=a"})), "path has 1 element; the next one is path[1]");
  EXPECT_EQ(ErrorOf("stage[-1].name=x"), "'stage[-1]' is no element; expected stage[0]");
  EXPECT_EQ(ErrorOf("stage[0=x"), "'stage[0' is no element; expected stage[0]");
  EXPECT_EQ(ErrorOf("stage[99999999999].name=x"), "'stage[99999999999]' is no element; expected stage[0]");
}

TEST(OverridesTest, NamesWhatIsWrongWithTheValue) {
  EXPECT_EQ(ErrorOf("seed=-1"), "expected an integer of 0 or more");
  EXPECT_EQ(ErrorOf("seed=1.5"), "expected an integer of 0 or more");
  EXPECT_EQ(ErrorOf("seed="), "expected an integer of 0 or more");
  EXPECT_EQ(ErrorOf("threads=1e3"), "expected an integer");
  EXPECT_EQ(ErrorOf("model.from_scratch.hidden_size=3000000000"),
            "expected an integer from -2147483648 to 2147483647");
  EXPECT_EQ(ErrorOf("training.learning_rate=fast"), "expected a number");
  EXPECT_EQ(ErrorOf("training.learning_rate=1 max_steps: 2"), "expected a number")
      << "no second field slips in";
  EXPECT_EQ(ErrorOf("model.tied=yes"), "expected true or false");
  EXPECT_EQ(ErrorOf("data.truncation_mode=KEEP_STRT"),
            "'KEEP_STRT' is no value of truncation_mode; did you mean 'KEEP_START'?");
  EXPECT_EQ(ErrorOf("data.truncation_mode="), "expected one of KEEP_START, KEEP_END");
  EXPECT_EQ(ErrorOf("training=3"), "expected a message SampleTraining { ... }: expected \"{\", found \"3\"");
  EXPECT_EQ(ErrorOf("stage[0].objective[0]={dpo{bta: 1}}"),
            "expected a message SampleObjective { ... }: SampleDpo has no field 'bta'; did you mean 'beta'?");
  EXPECT_EQ(ErrorOf("model.from_scratch.kernel_size=[1,,2]"), "expected an integer from 0 to 4294967295");
  EXPECT_EQ(ErrorOf("=1"), "expected path.to.field=value");
  EXPECT_EQ(ErrorOf("seed"), "expected path.to.field=value");
}

}  // namespace
}  // namespace plumb
