#include "tools/replicate/sweep.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/testing/testing.h"
#include "tools/replicate/data_budget.h"
#include "tools/replicate/preference_world.h"

namespace plumb {
namespace {

using Json = nlohmann::json;

std::vector<Json> Rows(const Sweep& sweep) {
  std::vector<Json> rows;
  for (const absl::string_view line : absl::StrSplit(sweep.rows, '\n', absl::SkipEmpty())) {
    rows.push_back(Json::parse(line));
  }
  return rows;
}

TEST(Sweep, KlBudgetsAreMeansOverSeedsWithTheirIntervals) {
  KlBudgetOptions options;
  options.seeds = 2;
  options.pairs = 48;
  options.steps = 16;
  options.betas = {0.05, 1};
  const auto sweep = SweepKlBudget(options);
  PLUMB_ASSERT_OK(sweep);
  const std::vector<Json> rows = Rows(*sweep);
  ASSERT_EQ(rows.size(), 6u);  // three objectives
  double kl[2], reward[2];
  for (int seed = 0; seed < 2; ++seed) {
    PreferenceWorldOptions world_options;
    world_options.pairs = 48;
    const PreferenceWorld world(seed + 1, world_options);
    const auto policies = world.Train("dpo { beta: 0.05 }", {16}).value();
    kl[seed] = world.Measure(policies[16]).kl;
    reward[seed] = world.Measure(policies[16]).reward - world.Measure(world.reference()).reward;
  }
  EXPECT_EQ(rows[0]["objective"], "DPO");
  EXPECT_NEAR(rows[0]["kl"][0], (kl[0] + kl[1]) / 2, 1e-9);
  EXPECT_NEAR(rows[0]["reward"][0], (reward[0] + reward[1]) / 2, 1e-9);
  // Of two values: the mean -+ 12.7062 times half their difference.
  EXPECT_NEAR(rows[0]["reward"][2].get<double>() - rows[0]["reward"][0].get<double>(),
              12.7062 * std::abs(reward[0] - reward[1]) / 2, 1e-3);
  // Points of 2 seeds, 2 betas and 4 times; the fit; the mean with its interval.
  ASSERT_EQ(sweep->plots.size(), 3u);
  ASSERT_EQ(sweep->plots[0].series.size(), 5u);
  EXPECT_EQ(sweep->plots[0].series[0].points.size(), 16u);
  EXPECT_EQ(sweep->plots[0].series[2].points.size(), 2u);
  const std::string folder = TemporaryFolder() + "/sweep";
  PLUMB_ASSERT_OK(WriteSweep(*sweep, folder));
  for (const char* file : {"/sweep.jsonl", "/facts.json", "/plots.jsonl", "/report.html"}) {
    EXPECT_TRUE(FileExists(folder + file)) << file;
  }
}

TEST(Sweep, ADataBudgetIsSpentAsItsSharesSay) {
  DataBudgetOptions options;
  options.seeds = 2;
  options.steps = 10;
  options.budgets = {40};
  options.shares = {0, 0.25, 1};
  const auto sweep = SweepDataBudget(options);
  PLUMB_ASSERT_OK(sweep);
  const std::vector<Json> rows = Rows(*sweep);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["demonstrations"], 0);
  EXPECT_EQ(rows[1]["demonstrations"], 10);
  EXPECT_EQ(rows[2]["demonstrations"], 40);
  double mean = 0;
  for (const uint64_t seed : {1, 2}) {
    const PreferenceWorld world(seed, {});
    const RandomStream pairs = RandomStream(seed, "data budget").Child("pairs");
    const auto policies = world
                              .Train("dpo { beta: 0.1 }", world.reference(), world.reference(),
                                     world.SamplePairs(world.reference(), 40, pairs), {10})
                              .value();
    mean += world.Measure(policies.back()).reward / 2;
  }
  EXPECT_NEAR(rows[0]["reward"][0], mean, 1e-9);
}

TEST(Sweep, AParetoFrontGoesFromOneObjectiveToTheOther) {
  ParetoOptions options;
  options.seeds = 2;
  options.pairs = 128;
  options.weights = 3;
  const auto sweep = SweepPareto(options);
  PLUMB_ASSERT_OK(sweep);
  const std::vector<Json> rows = Rows(*sweep);
  ASSERT_EQ(rows.size(), 6u);
  for (const int method : {0, 3}) {
    EXPECT_LT(rows[method]["reward"][0], rows[method + 2]["reward"][0]);
    EXPECT_GT(rows[method]["other_reward"][0], rows[method + 2]["other_reward"][0]);
  }
  // With all of the weight both are DPO on the first objective's pairs.
  double mean = 0;
  for (const uint64_t seed : {1, 2}) {
    const PreferenceWorld world(seed, {});
    const auto policies =
        world
            .Train("dpo { beta: 0.1 }", world.reference(), world.reference(),
                   world.SamplePairs(world.reference(), 128, RandomStream(seed, "first"), {1, 0}), {})
            .value();
    mean += world.Where(policies, &PolicyFigures::kl, 1, &PolicyFigures::reward) / 2;
  }
  EXPECT_NEAR(rows[2]["reward"][0], mean, 1e-6);
  EXPECT_NEAR(rows[5]["reward"][0], mean, 1e-6);
  EXPECT_EQ(rows[5]["method"], "DPO on weighted losses");
  EXPECT_EQ(rows[5]["weight"], 1);
  ASSERT_EQ(sweep->plots.size(), 1u);
  EXPECT_EQ(sweep->plots[0].series.size(), 4u);
}

}  // namespace
}  // namespace plumb
