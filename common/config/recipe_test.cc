#include "common/config/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/limits.h"
#include "common/config/resolved.h"
#include "common/config/sample_recipe.pb.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

constexpr char kRecipe[] = R"(# A comment.
name: "run"
model { from_scratch { hidden_size: 64 kernel_size: [3, 5] } }
data { path: "a.jsonl" path: "b.jsonl" truncation_mode: KEEP_END }
stage {
  name: "dpo"
  objective { dpo { beta: 0.2 } weight: 0.5 }
}
)";

// The one line that `text` is refused with; "ok" when it is not.
std::string ErrorOf(const std::string& text, const std::vector<std::string>& overrides = {}) {
  SampleRecipe recipe;
  const absl::Status status = ParseRecipe(text, "r.textproto", overrides, &recipe);
  return status.ok() ? "ok" : std::string(status.message());
}

// Within a recipe that is all right otherwise; line 2.
std::string ErrorWith(const std::string& line) {
  return ErrorOf(absl::StrCat("name: 'x' stage { name: 'y' }\n", line));
}

TEST(RecipeTest, ReadsARecipe) {
  SampleRecipe recipe;
  PLUMB_ASSERT_OK(ParseRecipe(kRecipe, "r", {"stage[0].objective[0].dpo.beta=0.3", "seed=7"}, &recipe));
  EXPECT_EQ(recipe.name(), "run");
  EXPECT_EQ(recipe.seed(), 7);
  EXPECT_EQ(recipe.stage(0).objective(0).dpo().beta(), 0.3);
  EXPECT_EQ(recipe.data().truncation_mode(), SampleData::KEEP_END);
}

TEST(RecipeTest, NamesTheNearestField) {
  EXPECT_EQ(ErrorWith("  traning { }"),
            "r.textproto:2:3: SampleRecipe has no field 'traning'; did you mean 'training'?");
  EXPECT_EQ(ErrorWith("stage { objective { dpo { bta: 1 } } }"),
            "r.textproto:2:27: SampleDpo has no field 'bta'; did you mean 'beta'?");
  EXPECT_EQ(ErrorWith("zebra: 1"),
            "r.textproto:2:1: SampleRecipe has no field 'zebra'; valid are name, seed, threads, model, data, "
            "stage, "
            "training");
  EXPECT_EQ(
      ErrorWith("learning_rate: 1"),
      "r.textproto:2:1: SampleRecipe has no field 'learning_rate'; did you mean 'training.learning_rate'?");
  EXPECT_EQ(ErrorWith("label_smoothing: 1"),
            "r.textproto:2:1: SampleRecipe has no field 'label_smoothing'; did you mean "
            "'stage[0].objective[0].dpo.label_smoothing'?");
  EXPECT_EQ(ErrorWith("stage { objective { sft { beta: 1 } } }"),
            "r.textproto:2:27: SampleSft has no field 'beta'; it has none");
}

TEST(RecipeTest, NamesTheNearestValue) {
  EXPECT_EQ(ErrorWith("data { truncation_mode: KEEP_STRT }"),
            "r.textproto:2:25: 'KEEP_STRT' is no value of truncation_mode; did you mean 'KEEP_START'?");
  EXPECT_EQ(ErrorWith("data { truncation_mode: MIDDLE }"),
            "r.textproto:2:25: 'MIDDLE' is no value of truncation_mode; valid are KEEP_START, KEEP_END");
  EXPECT_EQ(ErrorWith("model { tied: yes }"), "r.textproto:2:15: tied is 'yes'; expected true or false");
  EXPECT_EQ(ErrorWith("data {\n\ttruncation_mode: KEEP_STRT\n}"),
            "r.textproto:3:19: 'KEEP_STRT' is no value of truncation_mode; did you mean 'KEEP_START'?");
  EXPECT_EQ(ErrorWith("seed: many"), "r.textproto:2:7: expected integer, got: many");
  EXPECT_EQ(ErrorWith("training { learning_rate: 'x' }"), "r.textproto:2:27: expected double, got: 'x'");
  EXPECT_EQ(ErrorWith("seed: -1"), "r.textproto:2:7: expected integer, got: -");
  EXPECT_EQ(ErrorWith("seed: 99999999999999999999"),
            "r.textproto:2:7: integer out of range (99999999999999999999)");
}

TEST(RecipeTest, RefusesWhatContradictsItself) {
  EXPECT_EQ(ErrorWith("model { pretrained: 'a' from_scratch { } }"),
            "r.textproto:2:25: 'from_scratch' and 'pretrained' exclude each other; give one of them");
  EXPECT_EQ(ErrorWith("seed: 1 seed: 2"), "r.textproto:2:9: 'seed' is given twice");
  EXPECT_EQ(ErrorWith("[plumb.limits] { min: 1 }"),
            "r.textproto:2:2: '[plumb.limits]' is no extension that recipes have");
  EXPECT_EQ(ErrorWith("2: 7"), "r.textproto:2:1: expected identifier, got: 2");
  EXPECT_EQ(ErrorWith("model {"), "r.textproto:2:8: expected identifier, got: ");
  EXPECT_EQ(ErrorWith("data { path: 'a"), "r.textproto:2:16: unexpected end of string");
}

TEST(RecipeTest, ChecksLimitsWhereTheValueStands) {
  EXPECT_EQ(
      ErrorWith("stage {\n name: 'z'\n objective { dpo { beta: 0 } }\n}"),
      "r.textproto:4:20: stage[1].objective[0].dpo.beta: 0 is out of range: must be above 0 (default: 0.1)");
  EXPECT_EQ(ErrorWith("stage { name: 'z' objective { dpo { label_smoothing: 0.5 } } }"),
            "r.textproto:2:37: stage[1].objective[0].dpo.label_smoothing: 0.5 is out of range: must be at "
            "least 0 and "
            "below 0.5 (default: 0)");
  EXPECT_EQ(ErrorWith("model { from_scratch { kernel_size: [1, 0] } }"),
            "r.textproto:2:24: model.from_scratch.kernel_size[1]: 0 is out of range: must be at least 1");
  EXPECT_EQ(ErrorWith("training { learning_rate: nan }"),
            "r.textproto:2:12: training.learning_rate: nan is no finite number (default: 1e-06)");
  EXPECT_EQ(ErrorWith("model { rope_theta: -inf }"),
            "r.textproto:2:9: model.rope_theta: -inf is no finite number");
  EXPECT_EQ(ErrorWith("data { path: '\\xff' }"), "r.textproto:2:8: data.path[0]: is no valid UTF-8 text");
  EXPECT_EQ(ErrorWith("data { path: 'a\\000b' }"), "r.textproto:2:8: data.path[0]: holds a NUL character");
}

TEST(RecipeTest, AsksForWhatMustBeGiven) {
  EXPECT_EQ(ErrorOf(""), "r.textproto: name: must be given");
  EXPECT_EQ(ErrorOf("name: ''"), "r.textproto:1:1: name: must not be empty");
  EXPECT_EQ(ErrorOf("name: 'x'"), "r.textproto: stage: must be given at least once");
  EXPECT_EQ(ErrorOf("name: 'x'\nstage { }"), "r.textproto:2:1: stage[0].name: must be given");
  EXPECT_EQ(ErrorWith("data { }"), "r.textproto:2:1: data.path: must be given at least once");
  EXPECT_EQ(ErrorWith("stage { name: 'z' data { max_length: 9 } }"), "ok")
      << "what is merged may leave out anything";
  EXPECT_EQ(ErrorOf("name: 'x'", {"stage[0].name=y"}), "ok");
}

TEST(RecipeTest, BlamesTheOverride) {
  EXPECT_EQ(ErrorOf(kRecipe, {"stage[0].objective[0].dpo.beta=-1"}),
            "--set stage[0].objective[0].dpo.beta=-1: stage[0].objective[0].dpo.beta: -1 is out of range: "
            "must be above "
            "0 (default: 0.1)");
  EXPECT_EQ(ErrorOf(kRecipe, {"stage[0]={name: 'y' objective {dpo {beta: nan}}}"}),
            "--set stage[0]={name: 'y' objective {dpo {beta: nan}}}: stage[0].objective[0].dpo.beta: nan is "
            "no finite "
            "number (default: 0.1)");
  EXPECT_EQ(ErrorOf(kRecipe, {"seed"}), "--set seed: expected path.to.field=value");
  EXPECT_EQ(ErrorOf("name: 'x' stage { name: 'y' } threads: -1", {"seed=1"}),
            "r.textproto:1:31: threads: -1 is out of range: must be at least 0 (default: 0)");
}

TEST(RecipeTest, LeavesTheMessageAloneOnError) {
  SampleRecipe recipe;
  recipe.set_name("before");
  EXPECT_FALSE(ParseRecipe("name: 'after' zebra: 1", "r", {}, &recipe).ok());
  EXPECT_FALSE(ParseRecipe("name: 'after' stage {}", "r", {}, &recipe).ok());
  EXPECT_EQ(recipe.name(), "before");
}

TEST(RecipeTest, LoadsFiles) {
  const std::string path = TemporaryFolder() + "/r.textproto";
  PLUMB_ASSERT_OK(WriteFileAtomically(path, kRecipe));
  SampleRecipe recipe;
  PLUMB_ASSERT_OK(LoadRecipe(path, {}, &recipe));
  EXPECT_EQ(recipe.name(), "run");
  EXPECT_EQ(LoadRecipe("no/such.textproto", {}, &recipe).message(),
            "cannot open no/such.textproto: No such file or directory");
}

TEST(RecipeTest, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "stage {";
  EXPECT_NE(ErrorOf(text), "ok");
}

// Damaged recipes are read as valid ones or refused with one clear line.
TEST(RecipeTest, SurvivesMutations) {
  int refused = 0;
  ForEachMutation(kRecipe, 600, [&refused](const std::string& text) {
    SampleRecipe recipe;
    const absl::Status status = ParseRecipe(text, "r.textproto", {}, &recipe);
    if (status.ok()) {
      PLUMB_EXPECT_OK(CheckLimits(recipe));
      SampleRecipe again;
      PLUMB_EXPECT_OK(ParseRecipe(PrintResolved(recipe), "again", {}, &again));
      return;
    }
    ++refused;
    EXPECT_TRUE(absl::StartsWith(status.message(), "r.textproto:")) << status;
    EXPECT_GT(status.message().size(), 20u) << status;
    EXPECT_EQ(recipe.name(), "") << "half-read";
  });
  EXPECT_GT(refused, 200);
}

// Damaged overrides likewise.
TEST(RecipeTest, SurvivesMutatedOverrides) {
  for (const char* text :
       {"stage[0].objective[0]={dpo {beta: 0.5}}", "model.from_scratch.kernel_size=[1, 2,3]",
        "data.path=[\"a,b\", c]", "data.truncation_mode=KEEP_START"}) {
    ForEachMutation(text, 300, [](const std::string& mutated) {
      SampleRecipe recipe;
      const absl::Status status = ParseRecipe(kRecipe, "r.textproto", {mutated}, &recipe);
      if (status.ok()) {
        PLUMB_EXPECT_OK(CheckLimits(recipe));
      } else {
        EXPECT_TRUE(absl::StartsWith(status.message(), absl::StrCat("--set ", mutated)) ||
                    absl::StartsWith(status.message(), "r.textproto"))
            << status;
      }
    });
  }
}

}  // namespace
}  // namespace plumb
