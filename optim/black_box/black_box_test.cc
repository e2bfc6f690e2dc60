#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "common/config/limits.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"
#include "optim/black_box/external_command.h"
#include "optim/black_box/journal.h"
#include "optim/black_box/search_space.h"
#include "optim/black_box/test_functions.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

absl::StatusOr<SearchSpace> Space(const std::string& text) {
  StudyRecipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &recipe)) << text;
  return SearchSpace::Create(recipe.parameter());
}

TEST(SearchSpaceTest, MapsTheUnitCube) {
  const SearchSpace space = Space(
                                "parameter { name: 'a' min: -1 max: 3 } "
                                "parameter { name: 'rate' min: 1e-4 max: 1 log_scale: true } "
                                "parameter { name: 'layers' min: 1 max: 4 integer: true }")
                                .value();
  EXPECT_THAT(space.Values({0, 0, 0}), ElementsAre(-1, 1e-4, 1));
  EXPECT_THAT(space.Values({1, 1, 1}), ElementsAre(3, 1, 4));
  EXPECT_NEAR(space.Values({0.25, 0.5, 0})[1], 1e-2, 1e-15);
  EXPECT_EQ(space.Json({0.25, 1, 0.5}), R"({"a":0.0,"rate":1.0,"layers":3})");
  std::vector<int> counts(5);
  for (int i = 0; i < 1000; ++i) ++counts[static_cast<int>(space.Values({0, 0, (i + 0.5) / 1000})[2])];
  EXPECT_THAT(counts, ElementsAre(0, 250, 250, 250, 250));
  EXPECT_EQ(space.levels(0), 0);
  EXPECT_EQ(space.levels(2), 4);
}

TEST(SearchSpaceTest, WordsHaveEqualShares) {
  const SearchSpace space =
      Space(
          "parameter { name: 'optimizer' category: 'adamw' category: 'sgd' category: 'lion' } "
          "parameter { name: 'width' min: 8 max: 512 log_scale: true integer: true }")
          .value();
  EXPECT_EQ(space.Json({0, 0}), R"({"optimizer":"adamw","width":8})");
  EXPECT_EQ(space.Json({0.34, 0.5}), R"({"optimizer":"sgd","width":62})");
  EXPECT_EQ(space.Json({1, 1}), R"({"optimizer":"lion","width":512})");
  EXPECT_EQ(space.levels(0), 3);
  EXPECT_EQ(space.levels(1), 0);  // not evenly
}

// Against finite differences.
TEST(SearchSpaceTest, SlopesAreDerivatives) {
  const SearchSpace space = Space(
                                "parameter { name: 'a' min: -1 max: 3 } "
                                "parameter { name: 'rate' min: 1e-4 max: 1 log_scale: true } "
                                "parameter { name: 'word' category: 'x' category: 'y' } "
                                "parameter { name: 'layers' min: 1 max: 4 integer: true }")
                                .value();
  const std::vector<double> at = {0.3, 0.6, 0.2, 0.5}, high = {0.3 + 1e-6, 0.6 + 1e-6, 0.2, 0.5},
                            low = {0.3 - 1e-6, 0.6 - 1e-6, 0.2, 0.5};
  const std::vector<double> slopes = space.Slopes(at);
  for (int i = 0; i < 2; ++i) {
    const double difference = (space.Values(high)[i] - space.Values(low)[i]) / 2e-6;
    EXPECT_NEAR(slopes[i], difference, 1e-6 * difference);
  }
  EXPECT_EQ(slopes[2], 0);
  EXPECT_EQ(slopes[3], 4);  // a step of one for each quarter
}

TEST(SearchSpaceTest, SaysWhatIsWrong) {
  const auto message = [](const std::string& text) { return std::string(Space(text).status().message()); };
  EXPECT_EQ(message("parameter { name: 'a' min: 0 max: 1 } parameter { name: 'b' min: 2 max: 1 }"),
            "parameter[1] 'b': min 2 is not below max 1");
  EXPECT_THAT(message("parameter { name: 'a' min: 1 max: 1 }"), HasSubstr("not below"));
  EXPECT_THAT(message("parameter { name: 'a' min: 0 max: 1 log_scale: true }"), HasSubstr("above 0"));
  EXPECT_THAT(message("parameter { name: 'a' min: 0 max: 1.5 integer: true }"), HasSubstr("integers"));
  EXPECT_THAT(message("parameter { name: 'a' min: 0 max: 1 } parameter { name: 'a' min: 0 max: 1 }"),
              HasSubstr("parameter[1] 'a': the name comes twice"));
  EXPECT_THAT(message("parameter { name: 'a' min: 0 }"), HasSubstr("expected min and max, or categories"));
  EXPECT_THAT(message("parameter { name: 'a' category: 'x' }"), HasSubstr("two different words"));
  EXPECT_THAT(message("parameter { name: 'a' category: 'x' category: 'x' }"), HasSubstr("two different"));
  EXPECT_THAT(message("parameter { name: 'a' min: 0 category: 'x' category: 'y' }"),
              HasSubstr("not with min"));
}

TEST(StudyRecipeTest, LimitsAreWellDeclared) {
  PLUMB_EXPECT_OK(CheckLimitDeclarations(*StudyRecipe::descriptor()));
}

TEST(TestFunctionsTest, HaveTheirMinima) {
  const std::vector<std::pair<std::string, std::vector<double>>> minima = {
      {"name: BRANIN", {M_PI, 2.275}},
      {"name: BRANIN", {-M_PI, 12.275}},
      {"name: BRANIN", {9.42477796076938, 2.475}},
      {"name: HARTMANN6", {0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053}},
      {"name: ACKLEY dimension: 3", {0, 0, 0}},
      {"name: ROSENBROCK dimension: 4", {1, 1, 1, 1}},
      {"name: SPHERE", {0, 0}}};
  for (const auto& [text, x] : minima) {
    StudyTestFunction function;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &function));
    EXPECT_NEAR(EvaluateTestFunction(function, x), TestFunctionMinimum(function), 1e-6) << text;
    const auto parameters = TestFunctionParameters(function);
    ASSERT_EQ(parameters.size(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {  // a minimum within the bounds
      EXPECT_TRUE(parameters[i].min() < x[i] && x[i] < parameters[i].max());
      for (const double off : {-1e-3, 1e-3}) {
        std::vector<double> near = x;
        near[i] += off;
        EXPECT_GT(EvaluateTestFunction(function, near), TestFunctionMinimum(function)) << text;
      }
    }
  }
}

TEST(RunCommandTest, ReadsTheLastLine) {
  EXPECT_EQ(RunCommand("cat", "1.5", 10)->value, 1.5);
  EXPECT_EQ(RunCommand("echo loading; printf ' -2e-3 \\n\\n'", "", 10)->value, -2e-3);
  EXPECT_EQ(RunCommand("true < /dev/null; echo 3", std::string(1 << 20, 'x'), 10)->value, 3);
}

TEST(RunCommandTest, WhateverGoesWrongIsAFailure) {
  const auto failure = [](const std::string& command) {
    const auto result = RunCommand(command, "{}", 5);
    EXPECT_TRUE(absl::IsDataLoss(result.status())) << command << ": " << result.status();
    return std::string(result.status().message());
  };
  EXPECT_EQ(failure("echo 1; echo trouble >&2; exit 3"), "exit code 3: trouble");
  EXPECT_EQ(failure("exit 1"), "exit code 1");
  EXPECT_THAT(failure("no_such_program_here"), HasSubstr("exit code 127: "));
  EXPECT_EQ(failure("kill -9 $$"), "ended by signal 9");
  EXPECT_EQ(failure("echo NaN"), "the value is NaN");
  EXPECT_EQ(failure("echo -inf"), "the value is -inf");
  EXPECT_EQ(failure("echo 1; echo two"), "'two' is no number");
  EXPECT_EQ(failure("printf '\\001\\377'"),
            "'?"
            "?' is no number");
  EXPECT_EQ(failure("true"), "printed nothing");
  EXPECT_EQ(failure("yes"), "printed more than 64 MiB");
}

TEST(RunCommandTest, ReadsAnObject) {
  const CommandResult result =
      RunCommand(R"(echo starts; echo '{"value": 1e-2, "constraints": [1, -2.5], "gradient": {"a": 3}}')", "",
                 10)
          .value();
  EXPECT_EQ(result.value, 0.01);
  EXPECT_THAT(result.constraints, ElementsAre(1, -2.5));
  EXPECT_THAT(result.gradient, ElementsAre(testing::Pair("a", 3)));
  const auto failure = [](const std::string& object) {
    const auto failed = RunCommand("cat", object, 10);
    EXPECT_TRUE(absl::IsDataLoss(failed.status())) << object;
    return std::string(failed.status().message());
  };
  EXPECT_EQ(failure("{\"value\": NaN}"), "'{\"value\": NaN}' is no JSON object");
  EXPECT_EQ(failure("{\"value\": 1e999}"), "'{\"value\": 1e999}' is no JSON object");
  EXPECT_EQ(failure("{}"), "printed an object without a value");
  EXPECT_EQ(failure("{\"value\": \"x\"}"), "'value' of what it printed is no number");
  EXPECT_EQ(failure("{\"value\": 1, \"gradient\": [1]}"), "'gradient' of what it printed is no object");
  EXPECT_EQ(failure("{\"value\": 1, \"gradient\": {\"a\": null}}"),
            "'gradient' of what it printed holds what is no number");
  EXPECT_EQ(failure("{\"value\": 1, \"constraints\": 1}"), "'constraints' of what it printed is no list");
  EXPECT_THAT(failure("{\"value\": 1, \"loss\": 2}"), HasSubstr("'loss' of what it printed: expected value"));
}

TEST(RunCommandTest, WhatHangsIsKilledWithAllItStarted) {
  const std::string file = TemporaryFolder() + "/late";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(RunCommand("(sleep 2; echo late > " + file + ") & sleep 60", "", 0.3).status().message(),
            "took longer than 0.3 seconds");
  // It does not wait for what a program leaves behind, and leaves nothing behind.
  EXPECT_EQ(RunCommand("(sleep 2; echo late > " + file + ") & echo 1", "", 10)->value, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(RunCommand("sleep 2.5; echo 1", "", 10)->value, 1);
  EXPECT_FALSE(FileExists(file));
}

JournalEntry Entry(double value) {
  JournalEntry entry{{0.1, 1.0 / 3}, R"({"a":0.1,"b":"<&"})", value, "", 1.25, {}, {}};
  if (std::isnan(value)) entry.failure = "exit code 1: \"quoted\"";
  return entry;
}

TEST(JournalTest, ReadsWhatWasWritten) {
  const std::string path = TemporaryFolder() + "/journal.jsonl";
  EXPECT_TRUE(ReadJournal(path, 2)->entries.empty());
  const std::vector<double> values = {0.1 + 0.2, std::nan(""), -1e300};
  for (size_t i = 0; i < values.size(); ++i) PLUMB_ASSERT_OK(AppendToJournal(path, i, Entry(values[i])));
  const Journal journal = ReadJournal(path, 2).value();
  ASSERT_EQ(journal.entries.size(), 3);
  EXPECT_FALSE(journal.cut_off);
  EXPECT_EQ(journal.entries[0].value, values[0]);
  EXPECT_TRUE(std::isnan(journal.entries[1].value));
  EXPECT_EQ(journal.entries[1].failure, Entry(std::nan("")).failure);
  EXPECT_EQ(journal.entries[2].point, Entry(0).point);
  EXPECT_EQ(journal.entries[2].parameters, Entry(0).parameters);
  EXPECT_EQ(journal.entries[2].seconds, 1.25);
  const std::string text = ReadFile(path).value();
  PLUMB_ASSERT_OK(WriteJournal(path, journal.entries));
  EXPECT_EQ(ReadFile(path).value(), text);
}

TEST(JournalTest, KeepsConstraintsAndGradients) {
  const std::string path = TemporaryFolder() + "/journal.jsonl";
  JournalEntry found = Entry(1), failed = Entry(std::nan(""));
  found.constraints = {0.5, -1.0 / 3};
  found.gradient = {{"a", 2}, {"b", -1e-300}};
  failed.constraints = {std::nan(""), std::nan("")};
  PLUMB_ASSERT_OK(WriteJournal(path, {found, failed}));
  const Journal journal = ReadJournal(path, 2, 2).value();
  ASSERT_EQ(journal.entries.size(), 2);
  EXPECT_EQ(journal.entries[0].constraints, found.constraints);
  EXPECT_EQ(journal.entries[0].gradient, found.gradient);
  EXPECT_TRUE(std::isnan(journal.entries[1].constraints.at(1)));
  EXPECT_THAT(ReadJournal(path, 2).status().message(), HasSubstr("has 2 constraints, expected 0"));
}

TEST(JournalTest, KnowsACutOffLineFromADamagedOne) {
  const std::string path = TemporaryFolder() + "/journal.jsonl";
  PLUMB_ASSERT_OK(WriteJournal(path, {Entry(1), Entry(2), Entry(3)}));
  const std::string text = ReadFile(path).value();
  const size_t second = text.find('\n') + 1, third = text.find('\n', second) + 1;
  for (size_t size = 0; size < text.size(); ++size) {
    PLUMB_ASSERT_OK(WriteFileAtomically(path, text.substr(0, size)));
    const Journal journal = ReadJournal(path, 2).value();
    EXPECT_EQ(journal.entries.size(), size < second ? 0 : size < third ? 1 : 2);
    EXPECT_EQ(journal.cut_off, size != 0 && size != second && size != third);
  }
  PLUMB_ASSERT_OK(WriteFileAtomically(path, text.substr(0, second) + "{}\n" + text.substr(third)));
  EXPECT_THAT(std::string(ReadJournal(path, 2).status().message()),
              MatchesRegex(".*journal.jsonl:2: the line has no number 'evaluation'; .*--resume=never"));
  PLUMB_ASSERT_OK(WriteFileAtomically(path, text.substr(0, second) + text.substr(third)));
  EXPECT_THAT(ReadJournal(path, 2).status().message(), HasSubstr("is evaluation 2, expected 1"));
  PLUMB_ASSERT_OK(WriteFileAtomically(path, text));
  EXPECT_THAT(ReadJournal(path, 3).status().message(), HasSubstr("a point of 2 numbers, expected 3"));
  ForEachMutation(text, 300, [&](const std::string& bytes) {
    PLUMB_ASSERT_OK(WriteFileAtomically(path, bytes));
    const auto journal = ReadJournal(path, 2);
    if (!journal.ok()) {
      EXPECT_THAT(journal.status().message(), HasSubstr("journal.jsonl:"));
    }
  });
}

}  // namespace
}  // namespace plumb
