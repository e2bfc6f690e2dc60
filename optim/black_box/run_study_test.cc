#include "optim/black_box/run_study.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/limits.h"
#include "common/config/recipe.h"
#include "common/files/files.h"
#include "common/program/interrupt.h"
#include "common/testing/testing.h"
#include "optim/black_box/parameter_importance.h"

namespace plumb {
namespace {

using testing::HasSubstr;

constexpr char kBranin[] = "objective { test_function { name: BRANIN } } ";
constexpr char kCommand[] =
    "parameter { name: 'x' min: -1 max: 2 } parameter { name: 'unused' min: 0 max: 1 } "
    "objective { command { run: \"awk -F'[:,]' '{ print ($2 - 1) ^ 2 }'\" } } ";

StudyRecipe Recipe(const std::string& text, const std::string& folder) {
  StudyRecipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &recipe)) << text;
  recipe.set_name("test");
  recipe.set_output_dir(folder);
  return recipe;
}

// What decides in a journal: all but the time that evaluations took.
std::vector<std::string> Evaluations(const std::string& folder) {
  std::vector<std::string> lines;
  for (const auto line :
       absl::StrSplit(ReadFile(folder + "/evaluations.jsonl").value(), '\n', absl::SkipEmpty())) {
    auto object = nlohmann::json::parse(line);
    object.erase("seconds");
    lines.push_back(object.dump());
  }
  return lines;
}

nlohmann::json Best(const std::string& folder) {
  return nlohmann::json::parse(ReadFile(folder + "/best.json").value());
}

TEST(RunStudy, FindsAMinimumAndReportsIt) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(RunStudy(Recipe(absl::StrCat(kBranin, "max_evaluations: 200"), folder), "auto"));
  EXPECT_EQ(Evaluations(folder).size(), 200u);
  EXPECT_LT(Best(folder)["value"].get<double>(), 0.8);
  EXPECT_GE(Best(folder)["value"].get<double>(), 0.397887);
  EXPECT_THAT(ReadFile(folder + "/report.html").value(), HasSubstr("importance of the parameters"));
}

TEST(RunStudy, BayesianOptimisationNeedsFewEvaluations) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(
      RunStudy(Recipe(absl::StrCat(kBranin, "method { bayesian {} } max_evaluations: 30"), folder), "auto"));
  EXPECT_NEAR(Best(folder)["value"].get<double>(), 0.397887, 0.01);
}

// An objective whose command is a program of awk, with the parameters as $2, $4 ...
std::string Awk(const std::string& program, const std::string& fields = "") {
  static int count = 0;
  const std::string path = absl::StrCat(TemporaryFolder(), "/", ++count, ".awk");
  PLUMB_EXPECT_OK(WriteFileAtomically(path, program));
  return absl::StrCat("objective { command { ", fields, " run: 'awk -F\"[:,}]\" -f ", path, "' } } ");
}

constexpr char kQuick[] = "method { bayesian { search { raw_samples: 64 num_restarts: 3 } } } ";

// (log10(rate) + 2)^2 + (layers - 6)^2 / 4 with a gradient in each, and a word, of which a gradient says
// nothing, that shifts it.
TEST(RunStudy, ACommandsGradientsAreLearntFrom) {
  const auto study = [&](const std::string& gradient, const std::string& folder) {
    PLUMB_ASSERT_OK(RunStudy(
        Recipe(absl::StrCat(
                   "parameter { name: 'rate' min: 1e-5 max: 1 log_scale: true } "
                   "parameter { name: 'layers' min: 1 max: 12 integer: true } "
                   "parameter { name: 'word' category: 'a' category: 'b' } max_evaluations: 14 ",
                   kQuick,
                   Awk(absl::StrCat(R"({ r = log($2) / log(10) + 2; v = r * r + ($4 - 6) ^ 2 / 4 + ($6 ~ /b/)
                                                  printf "{\"value\": %.17g", v; )",
                                    gradient, " }"))),
               folder),
        "auto"));
  };
  const std::string plain = TemporaryFolder() + "/plain", told = TemporaryFolder() + "/told";
  study(R"(print "}")", plain);
  study(
      R"(printf ", \"gradient\": {\"rate\": %.17g, \"layers\": %.17g}}", 2 * r / log(10) / $2, ($4 - 6) / 2)",
      told);
  const auto line = nlohmann::json::parse(Evaluations(told).back());
  EXPECT_EQ(line["gradient"].size(), 2u);
  EXPECT_EQ(line["gradient"]["layers"], (line["parameters"]["layers"].get<double>() - 6) / 2);
  EXPECT_LT(Best(told)["value"].get<double>(), 1e-3);
  EXPECT_LT(Best(told)["value"].get<double>(), Best(plain)["value"].get<double>());
  EXPECT_EQ(Best(told)["parameters"]["layers"], 6);
  EXPECT_EQ(Best(told)["parameters"]["word"], "a");
}

TEST(RunStudy, WhatACommandPrintsMustBeOfTheStudy) {
  const auto last_failure = [](const std::string& printed) {
    const std::string folder = TemporaryFolder() + "/wrong";
    const std::string text = absl::StrCat("parameter { name: 'x' min: 0 max: 1 } max_failures_in_a_row: 2 ",
                                          Awk("{ print \"" + printed + "\" }", "constraints: 1"));
    EXPECT_THAT(std::string(RunStudy(Recipe(text, folder), "never").message()),
                HasSubstr("2 evaluations in a row"));
    return nlohmann::json::parse(Evaluations(folder).back())["failure"].get<std::string>();
  };
  EXPECT_EQ(last_failure("1.5"), "printed 0 constraints, expected 1");
  EXPECT_EQ(last_failure(R"({\"value\": 1, \"constraints\": [1, 2]})"), "printed 2 constraints, expected 1");
  EXPECT_EQ(last_failure(R"({\"value\": 1, \"constraints\": [1], \"gradient\": {\"y\": 2}})"),
            "printed a derivative in 'y', which is no parameter");
}

// The best is the least that is allowed, with failures among the evaluations and when a study goes on.
TEST(RunStudy, ConstraintsHold) {
  for (const std::string method : {"", kQuick}) {
    const std::string folder = TemporaryFolder() + "/constrained";
    const std::string text = absl::StrCat("parameter { name: 'x' min: 0 max: 2 } ", method,
                                          Awk(R"({ if ($2 < 0.1) exit 3
                              printf "{\"value\": %.17g, \"constraints\": [%.17g]}", $2, $2 - 0.7 })",
                                              "constraints: 1"));
    PLUMB_ASSERT_OK(RunStudy(Recipe(text + "max_evaluations: 12", folder), "never"));
    PLUMB_ASSERT_OK(RunStudy(Recipe(text + "max_evaluations: 20", folder), "auto"));
    EXPECT_EQ(Evaluations(folder).size(), 20u);
    EXPECT_GE(Best(folder)["value"].get<double>(), 0.7) << method;
    EXPECT_LT(Best(folder)["value"].get<double>(), 0.85) << method;
  }
}

// Whole numbers and words reach the model as such: it finds the best one of sixty pairs.
TEST(RunStudy, IntegersAndWordsAreSearchedAsSuch) {
  const std::string folder = TemporaryFolder() + "/mixed";
  PLUMB_ASSERT_OK(RunStudy(
      Recipe(absl::StrCat(
                 "parameter { name: 'n' min: 0 max: 19 integer: true } "
                 "parameter { name: 'w' category: 'a' category: 'b' category: 'c' } max_evaluations: 22 ",
                 kQuick, Awk("{ print ($2 - 13) ^ 2 / 10 + ($4 ~ /b/ ? 0 : 2) }")),
             folder),
      "auto"));
  EXPECT_EQ(Best(folder)["value"].get<double>(), 0);
  EXPECT_EQ(Best(folder)["parameters"]["w"], "b");
}

// Of the highest fidelity, which the best value told need not be.
TEST(RunStudy, RecommendsTheHighestFidelity) {
  const std::string folder = TemporaryFolder() + "/fidelity";
  PLUMB_ASSERT_OK(RunStudy(
      Recipe(
          absl::StrCat("parameter { name: 'x' min: 0 max: 1 } parameter { name: 's' min: 0 max: 1 } "
                       "max_evaluations: 18 method { bayesian { search { raw_samples: 64 num_restarts: 3 } "
                       "multi_fidelity_knowledge_gradient { coordinate: 1 fixed_cost: 0.1 } } } ",
                       Awk("{ print ($2 - 0.4) ^ 2 + 0.5 * $4 - 0.3 * (1 - $4) * $2 }")),
          folder),
      "auto"));
  const auto recommended = Best(folder)["recommended_parameters"];
  EXPECT_EQ(recommended["s"], 1);
  EXPECT_NEAR(recommended["x"].get<double>(), 0.4, 0.1);
  EXPECT_LT(Best(folder)["parameters"]["s"].get<double>(), 0.5);
  EXPECT_THAT(ReadFile(folder + "/facts.json").value(), HasSubstr("parameters that the model recommends"));
}

TEST(RunStudy, EndsAtTheTarget) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(
      RunStudy(Recipe(absl::StrCat(kBranin, "target_value: 5 max_evaluations: 1000"), folder), "auto"));
  EXPECT_LT(Evaluations(folder).size(), 1000u);
  EXPECT_LE(Best(folder)["value"].get<double>(), 5);
}

TEST(RunStudy, RunsACommandInEitherDirection) {
  const std::string low = TemporaryFolder(), high = TemporaryFolder() + "/high";
  PLUMB_ASSERT_OK(RunStudy(Recipe(absl::StrCat(kCommand, "max_evaluations: 20"), low), "auto"));
  EXPECT_NEAR(Best(low)["parameters"]["x"].get<double>(), 1, 0.15);
  PLUMB_ASSERT_OK(
      RunStudy(Recipe(absl::StrCat(kCommand, "max_evaluations: 20 direction: MAXIMIZE"), high), "auto"));
  EXPECT_NEAR(Best(high)["parameters"]["x"].get<double>(), -1, 0.3);
  EXPECT_THAT(ReadFile(low + "/facts.json").value(), HasSubstr("x 100 %, unused 0 %"));
}

// Whatever moment a process is killed at, the study that goes on is the one that was never stopped.
TEST(RunStudy, GoesOnWhereItWasKilled) {
  const std::string whole = TemporaryFolder();
  for (const char* method : {"sobol_search {}", "random_search {}", "bayesian {}",
                             "consensus { particles: 4 }", "rank { m: 3 }"}) {
    const std::string text = absl::StrCat(kBranin, "method { ", method, " } max_evaluations: ");
    PLUMB_ASSERT_OK(RunStudy(Recipe(text + "12", whole), "never"));
    const std::vector<std::string> expected = Evaluations(whole);

    for (const char* kill :
         {"between", "before the journal", "in the journal", "without state", "damaged state"}) {
      SCOPED_TRACE(kill);
      const std::string folder = TemporaryFolder() + "/killed";
      PLUMB_ASSERT_OK(RunStudy(Recipe(text + "7", folder), "never"));
      const std::string journal = folder + "/evaluations.jsonl", state = folder + "/method.safetensors";
      const std::string lines = ReadFile(journal).value();
      const size_t last = lines.rfind('\n', lines.size() - 2) + 1;
      if (kill == std::string("before the journal")) std::filesystem::resize_file(journal, last);
      if (kill == std::string("in the journal")) std::filesystem::resize_file(journal, last + 9);
      if (kill == std::string("without state")) std::filesystem::remove(state);
      if (kill == std::string("damaged state")) std::filesystem::resize_file(state, 11);
      PLUMB_ASSERT_OK(RunStudy(Recipe(text + "12", folder), "auto"));
      EXPECT_EQ(Evaluations(folder), expected);
    }
  }
}

TEST(RunStudy, AnInterruptLosesNothing) {
  const std::string folder = TemporaryFolder();
  SetInterruptRequested(true);
  const absl::Status stopped = RunStudy(Recipe(kBranin, folder), "auto");
  SetInterruptRequested(false);
  EXPECT_TRUE(absl::IsCancelled(stopped));
  EXPECT_TRUE(FileExists(folder + "/report.html"));
  PLUMB_EXPECT_OK(RunStudy(Recipe(absl::StrCat(kBranin, "max_evaluations: 3"), folder), "auto"));
}

TEST(RunStudy, FailuresAreEvaluationsAndTooManyEndIt) {
  const std::string folder = TemporaryFolder();
  const std::string some =
      "parameter { name: 'x' min: 0 max: 1 } max_evaluations: 10 "
      "objective { command { run: \"awk -F'[:}]' '{ if ($2 < 0.5) exit 3; print $2 }'\" } }";
  PLUMB_ASSERT_OK(RunStudy(Recipe(some, folder), "auto"));
  EXPECT_EQ(Evaluations(folder).size(), 10u);
  EXPECT_THAT(ReadFile(folder + "/facts.json").value(), HasSubstr("exit code 3, at {"));
  EXPECT_GE(Best(folder)["value"].get<double>(), 0.5);

  const std::string none = TemporaryFolder() + "/none";
  const absl::Status status =
      RunStudy(Recipe("parameter { name: 'x' min: 0 max: 1 } max_failures_in_a_row: 3 "
                      "objective { command { run: 'echo no such file >&2; exit 1' } }",
                      none),
               "auto");
  EXPECT_THAT(std::string(status.message()), HasSubstr("3 evaluations in a row failed"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit code 1: no such file"));
  EXPECT_FALSE(FileExists(none + "/best.json"));
}

// A program that dies, hangs, prints NaN or nonsense: each an evaluation with its reason, nothing lost.
TEST(RunStudy, WhateverACommandDoesIsAnEvaluation) {
  const std::string folder = TemporaryFolder();
  const std::string text =
      "parameter { name: 'kind' min: 0 max: 4 integer: true } max_evaluations: 16 objective { command { "
      "time_limit_seconds: 0.3 run: \"case $(tr -dc 0-9) in 0) kill -9 $$;; 1) sleep 60;; 2) echo nan;; "
      "3) echo three;; *) echo 4;; esac\" } }";
  PLUMB_ASSERT_OK(RunStudy(Recipe(text, folder), "auto"));
  EXPECT_EQ(Best(folder)["value"].get<double>(), 4);
  const std::map<int, std::string> reasons = {{0, "ended by signal 9"},
                                              {1, "took longer than 0.3 seconds"},
                                              {2, "the value is nan"},
                                              {3, "'three' is no number"}};
  std::map<int, int> counts;
  for (const std::string& line : Evaluations(folder)) {
    const auto evaluation = nlohmann::json::parse(line);
    const int kind = evaluation["parameters"]["kind"];
    ++counts[kind];
    if (kind < 4) {
      EXPECT_EQ(evaluation["failure"], reasons.at(kind));
    }
  }
  for (int kind = 0; kind <= 4; ++kind) EXPECT_GE(counts[kind], 2) << kind;
}

TEST(RunStudy, SaysWhatIsWrong) {
  const std::string folder = TemporaryFolder();
  const auto message = [&](const std::string& text, const std::string& resume = "auto") {
    return std::string(RunStudy(Recipe(text, folder), resume).message());
  };
  EXPECT_THAT(message("parameter { name: 'x' min: 0 max: 1 }"), HasSubstr("a command or a test_function"));
  EXPECT_THAT(message("objective { command { run: 'true' } }"), HasSubstr("needs at least one"));
  EXPECT_THAT(message(absl::StrCat(kBranin, "parameter { name: 'x' min: 0 max: 1 }")),
              HasSubstr("has its own"));
  EXPECT_THAT(message(kBranin, "always"), HasSubstr("expected auto or never"));
  PLUMB_EXPECT_OK(RunStudy(Recipe(absl::StrCat(kBranin, "max_evaluations: 2"), folder), "auto"));
  EXPECT_THAT(message(absl::StrCat(kBranin, "max_evaluations: 2 seed: 7")), HasSubstr("seed: 42 -> 7"));
  const std::string recipe = folder + "/recipe.textproto", whole = ReadFile(recipe).value();
  PLUMB_ASSERT_OK(WriteFileAtomically(recipe, whole.substr(0, whole.size() / 2)));
  EXPECT_THAT(message(absl::StrCat(kBranin, "max_evaluations: 2")),
              HasSubstr("its recipe.textproto is no recipe of this program"));
  PLUMB_ASSERT_OK(WriteFileAtomically(recipe, whole));
  EXPECT_THAT(message(absl::StrCat(kBranin, "max_evaluations: 2 method { rank { m: 3 k: 4 } }")),
              HasSubstr("k 4: must be within [1, 3]"));
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/evaluations.jsonl", "{}\n"));
  EXPECT_THAT(message(absl::StrCat(kBranin, "max_evaluations: 2")),
              HasSubstr("evaluations.jsonl:1: the line"));
}

TEST(RunStudy, ItsRecipesLoad) {
  const auto files = ExpandGlob(Runfile("optim/recipes/*.textproto"));
  PLUMB_ASSERT_OK(files);
  for (const std::string& file : *files) {
    StudyRecipe recipe;
    PLUMB_EXPECT_OK(LoadRecipe(file, {}, &recipe));
    EXPECT_EQ(recipe.name() + ".textproto", std::filesystem::path(file).filename());
    recipe.set_output_dir(TemporaryFolder() + "/" + recipe.name());
    recipe.set_max_evaluations(12);
    PLUMB_EXPECT_OK(RunStudy(recipe, "auto"));
    EXPECT_TRUE(FileExists(recipe.output_dir() + "/best.json"));
  }
}

TEST(MainEffects, AreThoseOfAnAdditiveFunction) {
  const at::Tensor points = at::rand({200, 3}, at::kDouble);
  // Variances over the unit cube: 9 / 12 and 4 * 4 / 45.
  const at::Tensor t = 2 * points.select(1, 1) - 1;
  const at::Tensor values = 3 * points.select(1, 0) + 2 * t * t;
  const auto effects = MainEffects(points, values);
  ASSERT_TRUE(effects.has_value());
  const double first = 9.0 / 12, second = 16.0 / 45;
  EXPECT_NEAR(effects->shares[0], first / (first + second), 1e-3);
  EXPECT_NEAR(effects->shares[1], second / (first + second), 1e-3);
  EXPECT_NEAR(effects->shares[2], 0, 1e-6);
  EXPECT_GT(effects->explained, 0.999);
}

TEST(MainEffects, SayWhenNothingCanBeTold) {
  const at::Tensor points = at::rand({40, 2}, at::kDouble);
  EXPECT_FALSE(MainEffects(points, at::tensor(std::vector<double>(40, 1.5), at::kDouble)).has_value());
  EXPECT_FALSE(MainEffects(points.slice(0, 0, 7), points.select(1, 0).slice(0, 0, 7)).has_value());
  at::Tensor values = points.select(1, 0).clone();
  values.slice(0, 0, 35).fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(MainEffects(points, values).has_value());
}

}  // namespace
}  // namespace plumb
