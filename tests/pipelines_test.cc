// Recipes of several stages, run as they are but for their size.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/recipe.pb.h"
#include "alignment/train_recipe.h"
#include "common/config/recipe.h"
#include "common/files/files.h"
#include "common/program/runfiles.h"
#include "common/report/run_folder.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

class Pipelines : public testing::Test {
 protected:
  Pipelines() { FindRunfiles(""); }

  // Two steps a stage of a small model.
  absl::Status Train(const std::string& name, std::vector<std::string> overrides) const {
    overrides.push_back(absl::StrCat("model.pretrained=", Runfile("alignment/testdata/trl_dpo/model")));
    overrides.push_back(absl::StrCat("output_dir=", folder_));
    overrides.push_back("threads=1");
    const std::string path = Runfile(absl::StrCat("alignment/recipes/", name, ".textproto"));
    AlignmentRecipe recipe;
    const absl::Status parsed = ParseRecipe(ReadFile(path).value(), path, overrides, &recipe);
    if (!parsed.ok()) return parsed;
    for (Stage& stage : *recipe.mutable_stage()) {
      stage.mutable_training()->set_max_steps(2);
      stage.mutable_training()->set_per_device_train_batch_size(2);
      stage.mutable_samples()->set_from_eval(0);
      stage.mutable_data()->clear_max_length();
    }
    return TrainRecipe(recipe, "never");
  }

  // "adapter" or "whole": what the stage left.
  std::string Left(const std::string& stage) const {
    const std::string model = absl::StrCat(folder_, "/", stage, "/model/");
    if (FileExists(model + "adapter_config.json")) return "adapter";
    return FileExists(model + "model.safetensors") ? "whole" : "nothing";
  }

  // The first loss of a stage.
  double FirstLoss(const std::string& stage) const {
    const std::vector<MetricsRow> rows = ReadMetrics(folder_).value();
    for (const MetricsRow& row : rows) {
      const auto loss = row.values.find("eval_loss");
      if (row.stage == stage && loss != row.values.end()) return loss->second;
    }
    return 0;
  }

  const std::string folder_ = TemporaryFolder();
};

TEST_F(Pipelines, SummariesByOneAdapter) {
  PLUMB_ASSERT_OK(Train(
      "note", {absl::StrCat("data.preference.path=", Runfile("alignment/recipes/visits.jsonl")),
               "data.preference.max_examples=12", "data.max_length=128", "data.truncation_mode=KEEP_END"}));
  EXPECT_EQ(Left("sft"), "adapter");
  EXPECT_EQ(Left("dpo"), "adapter");
  EXPECT_NEAR(FirstLoss("dpo"), 0.693147, 1e-4);  // the reference is the adapter as SFT left it
}

TEST_F(Pipelines, ADomainsTextInstructionsAndPreferences) {
  PLUMB_ASSERT_OK(
      Train("snfinllm", {"stage[0].data.text.max_examples=12", "stage[1].data.text.max_examples=12",
                         "stage[2].data.preference.max_examples=12", "data.max_length=128",
                         "data.truncation_mode=KEEP_END", "data.chat_template=chatml"}));
  EXPECT_EQ(Left("pretraining"), "whole");
  EXPECT_EQ(Left("sft"), "whole");
  EXPECT_EQ(Left("dpo"), "adapter");
  EXPECT_NEAR(FirstLoss("dpo"), 0.693147, 1e-4);
}

}  // namespace
}  // namespace plumb
