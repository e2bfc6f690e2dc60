#include "common/report/report.h"

#include <cmath>

#include "absl/strings/match.h"
#include "common/files/files.h"
#include "common/report/plot.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string MakeRun() {
  const std::string run = TemporaryFolder();
  auto metrics = StageMetrics::Open(run, "dpo").value();
  PLUMB_EXPECT_OK(metrics->Write(0, {{"eval_rewards/accuracies", 0.5}, {"eval_loss", 0.693}}));
  PLUMB_EXPECT_OK(metrics->Write(10, {{"loss", 0.6}}));
  PLUMB_EXPECT_OK(metrics->Write(20, {{"eval_rewards/accuracies", 0.75}, {"eval_loss", 0.5}}));
  PLUMB_EXPECT_OK(
      WriteSamples(run, "dpo", "before", {{"", "", "A <b>prompt</b>", "</script><script>alert(1)"}}));
  PLUMB_EXPECT_OK(WriteSamples(run, "dpo", "after", {{"", "", "A <b>prompt</b>", "Better."}}));
  PLUMB_EXPECT_OK(
      WriteFacts(run, {{"name", "quick"}, {"description", "What it shows."}, {"machine", "2 cores & more"}}));
  PLUMB_EXPECT_OK(WriteFileAtomically(run + "/recipe.textproto", "name: \"<quick>\"\n"));
  return run;
}

TEST(ReportTest, ComparesTheFirstAndTheLastEvaluation) {
  const auto comparisons = CompareEvaluations(ReadMetrics(MakeRun()).value(), "dpo");
  ASSERT_EQ(comparisons.size(), 2);
  EXPECT_EQ(comparisons[1].name, "rewards/accuracies");
  EXPECT_EQ(comparisons[1].before, 0.5);
  EXPECT_EQ(comparisons[1].after, 0.75);
}

TEST(ReportTest, ThePageHoldsEverythingAndAsksForNothing) {
  const std::string run = MakeRun();
  PLUMB_ASSERT_OK(WriteReport(run));
  const std::string page = ReadFile(run + "/report.html").value();
  for (const char* part :
       {"<h1>quick</h1>", "What it shows.", "rewards/accuracies", "+0.25", "Better.", "2 cores &amp; more",
        "name: &quot;&lt;quick&gt;&quot;", "A &lt;b&gt;prompt", "Chart.js v3.9"}) {
    EXPECT_TRUE(absl::StrContains(page, part)) << part;
  }
  // Text from a model cannot leave its element, and nothing is fetched.
  EXPECT_FALSE(absl::StrContains(page, "<script>alert"));
  for (const char* fetching : {"<link", " src=", "@import", "url("}) {
    EXPECT_FALSE(absl::StrContains(page, fetching)) << fetching;
  }
}

TEST(ReportTest, PlotsAreReadAsTheyWereWritten) {
  const std::string run = TemporaryFolder();
  EXPECT_TRUE(ReadPlots(run).value().empty());
  PLUMB_ASSERT_OK(
      WritePlots(run, {{"A </script> title", "d", "R", {{"fit", {{0, 1}, {0.5, NAN}, {2, 3}}, true}}},
                       {"second", "x", "y", {{"a", {{1, 2}}}, {"b", {}}}}}));
  const std::vector<Plot> plots = ReadPlots(run).value();
  ASSERT_EQ(plots.size(), 2);
  EXPECT_EQ(plots[0].x, "d");
  EXPECT_TRUE(plots[0].series[0].is_line);
  EXPECT_EQ(plots[0].series[0].points, (std::vector<std::pair<double, double>>{{0, 1}, {2, 3}}));
  EXPECT_FALSE(plots[1].series[0].is_line);
  EXPECT_EQ(plots[1].series[1].name, "b");
  PLUMB_ASSERT_OK(WriteReport(run));
  const std::string page = ReadFile(run + "/report.html").value();
  EXPECT_TRUE(absl::StrContains(page, "id=\"plots\""));
  EXPECT_TRUE(absl::StrContains(page, R"({"title":"A \u003c/script\u003e title","x":"d","y":"R")"));
  PLUMB_ASSERT_OK(WriteFileAtomically(run + "/plots.jsonl", "{\"title\": 1}\n"));
  EXPECT_EQ(ReadPlots(run).status().message(), run + "/plots.jsonl:1: not a plot");
}

TEST(ReportTest, ARunThatHasLoggedNothingHasAPage) {
  const std::string run = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteReport(run));
  EXPECT_TRUE(absl::StrContains(ReadFile(run + "/report.html").value(), "Nothing has been logged yet."));
}

}  // namespace
}  // namespace plumb
