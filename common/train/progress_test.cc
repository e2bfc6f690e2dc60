#include "common/train/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(ProgressTest, DurationsAndFiguresReadWell) {
  EXPECT_EQ(FormatDuration(0.2), "0s");
  EXPECT_EQ(FormatDuration(59.4), "59s");
  EXPECT_EQ(FormatDuration(59.6), "1m00s");
  EXPECT_EQ(FormatDuration(125), "2m05s");
  EXPECT_EQ(FormatDuration(3720), "1h02m");
  EXPECT_EQ(FormatMetric(0.69314718), "0.6931");
  EXPECT_EQ(FormatMetric(12345.4), "12345");
  EXPECT_EQ(FormatMetric(1.5e-6), "1.5e-06");
}

TEST(ProgressTest, ALogGetsPlainLinesAlone) {
  const std::string path = TemporaryFolder() + "/log";
  std::FILE* log = std::fopen(path.c_str(), "w");
  {
    Progress progress("dpo", 0, 20, log);
    progress.Step(1, 500, 0.5, 0.7);
    progress.Step(2, 500, 0.5, 0.6);
    EXPECT_DOUBLE_EQ(progress.TakeTokensPerSecond(), 1000);
    progress.Report({{"loss", 0.65}, {"learning_rate", 1e-6}, {"tokens_per_second", 1000}});
    EXPECT_DOUBLE_EQ(progress.TakeTokensPerSecond(), 0);
    progress.Say("saved");
  }
  std::fclose(log);
  EXPECT_THAT(
      ReadFile(path).value(),
      MatchesRegex("dpo: step 2/20  loss 0.65  learning_rate 1e-06  1000 tokens/s  .* left\nsaved\n"));
}

TEST(ProgressTest, ATerminalGetsOneLineThatGoes) {
  int controller = 0;
  int terminal = 0;
  ASSERT_EQ(openpty(&controller, &terminal, nullptr, nullptr, nullptr), 0);
  std::FILE* out = fdopen(terminal, "w");
  {
    Progress progress("dpo", 0, 20, out);
    progress.Step(1, 500, 0.5, 0.7);
    progress.Step(2, 500, 0.5, 0.6);  // too soon after the other: not shown
  }
  std::fputs("end", out);
  std::fflush(out);
  // A terminal gives what was written in pieces.
  std::string text;
  while (text.find("end") == std::string::npos) {
    char piece[1000];
    const ssize_t size = read(controller, piece, sizeof piece);
    ASSERT_GT(size, 0);
    text.append(piece, size);
  }
  EXPECT_THAT(text, HasSubstr("\r\033[Kdpo: step 1/20  loss 0.7  1000 tokens/s  "));
  EXPECT_THAT(text, Not(HasSubstr("step 2/20")));
  EXPECT_THAT(text, HasSubstr("left\r\033[Kend"));
  std::fclose(out);
  close(controller);
}

TEST(ProgressTest, SilentWithoutAFile) {
  Progress progress("dpo", 0, 20, nullptr);
  progress.Step(1, 500, 0.5, 0.7);
  progress.Report({{"loss", 1}});
  progress.Say("x");
}

}  // namespace
}  // namespace plumb
