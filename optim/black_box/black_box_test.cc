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

TEST(RunValueCommandTest, ReadsTheLastLine) {
  EXPECT_EQ(RunValueCommand("cat", "1.5", 10).value(), 1.5);
  EXPECT_EQ(RunValueCommand("echo loading; printf ' -2e-3 \\n\\n'", "", 10).value(), -2e-3);
  EXPECT_EQ(RunValueCommand("true < /dev/null; echo 3", std::string(1 << 20, 'x'), 10).value(), 3);
}

TEST(RunValueCommandTest, WhateverGoesWrongIsAFailure) {
  const auto failure = [](const std::string& command) {
    const auto result = RunValueCommand(command, "{}", 5);
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

TEST(RunValueCommandTest, WhatHangsIsKilledWithAllItStarted) {
  const std::string file = TemporaryFolder() + "/late";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(RunValueCommand("(sleep 2; echo late > " + file + ") & sleep 60", "", 0.3).status().message(),
            "took longer than 0.3 seconds");
  // It does not wait for what a program leaves behind, and leaves nothing behind.
  EXPECT_EQ(RunValueCommand("(sleep 2; echo late > " + file + ") & echo 1", "", 10).value(), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(RunValueCommand("sleep 2.5; echo 1", "", 10).value(), 1);
  EXPECT_FALSE(FileExists(file));
}

JournalEntry Entry(double value) {
  JournalEntry entry{{0.1, 1.0 / 3}, R"({"a":0.1,"b":"<&"})", value, "", 1.25};
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
