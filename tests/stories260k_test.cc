// A model that somebody else trained: imported, asked, and aligned on real human preferences.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/testing/subprocess.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Stories(const std::string& name) { return SharedData("alignment/stories260K/" + name); }

// What the model's page says it tells greedily.
std::string ExpectedStory() {
  const std::string page = ReadFile(Stories("stories260K.md")).value();
  const size_t begin = page.find("\n", page.find("-t 0.0\n")) + 1;
  return page.substr(begin, page.find("\n```", begin) - begin);
}

TEST(Stories260K, TellsTheStoryOfItsPage) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/stories260K/stories260K.bin");
  const std::string folder = TemporaryFolder() + "/stories";
  const Ended imported =
      RunCommand(absl::StrCat(Runfile("tools/import_llama2c"), " ", Stories("stories260K.bin"), " ",
                              Stories("tok512.bin"), " ", folder));
  ASSERT_EQ(imported.exit_code, 0) << imported.errors;
  // llama2.c's run starts from the begin-of-text token alone and stops after 256 tokens.
  const Ended told =
      RunCommand(absl::StrCat(Runfile("alignment/generate"), " --set=model.pretrained=", folder,
                              " --set=generation.max_new_tokens=256 --set='prompt=Once upon a time'"));
  ASSERT_EQ(told.exit_code, 0) << told.errors;
  const std::string expected = ExpectedStory();
  ASSERT_GT(expected.size(), 400u);
  EXPECT_EQ(told.output.substr(0, expected.size()), expected);
}

// docs/measurements.md has whole runs; this is a part of one, on the real pairs.
TEST(Stories260K, LearnsHumanPreferences) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/stories260K/stories260K.bin");
  PLUMB_REQUIRE_SHARED_DATA("alignment/hh-rlhf/harmless-base.test.jsonl.gz");
  const std::string folder = TemporaryFolder();
  ASSERT_EQ(RunCommand(absl::StrCat(Runfile("tools/import_llama2c"), " ", Stories("stories260K.bin"), " ",
                                    Stories("tok512.bin"), " ", folder, "/stories"))
                .exit_code,
            0);
  const Ended trained = RunCommand(absl::StrCat(
      Runfile("alignment/train"), " --recipe=", Runfile("alignment/recipes/hh_rlhf.textproto"),
      " --set=model.pretrained=", folder, "/stories --set=data.preference.path=",
      SharedData("alignment/hh-rlhf/harmless-base.test.jsonl.gz"), " --set=data.preference.max_examples=160",
      " --set=data.max_length=256 --set=stage[0].training.max_steps=12 --set=stage[0].samples.from_eval=0",
      " --set=output_dir=", folder, "/run"));
  ASSERT_EQ(trained.exit_code, 0) << trained.errors;
  // The losses of the pairs that it saw: the last steps are below ln 2, where it began.
  const std::string metrics = ReadFile(folder + "/run/metrics.jsonl").value();
  nlohmann::json last;
  for (size_t begin = 0; begin < metrics.size(); begin = metrics.find('\n', begin) + 1) {
    const auto row = nlohmann::json::parse(metrics.substr(begin, metrics.find('\n', begin) - begin));
    if (row.count("loss") > 0) last = row;
  }
  EXPECT_LT(last.at("loss").get<double>(), 0.6931);
  EXPECT_GT(last.at("rewards/margins").get<double>(), 0);
}

}  // namespace
}  // namespace plumb
