#include "alignment/selection/dstc.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

// Rows of digits.
PassMatrix Passes(const std::vector<std::string>& rows) {
  PassMatrix passes;
  for (const std::string& row : rows) {
    passes.emplace_back();
    for (const char pass : row) passes.back().push_back(pass == '1');
  }
  return passes;
}

TEST(Dstc, TakesTheExtremesOfBothSides) {
  //                                      tests passed
  const auto selection = MinimaxSelection(Passes({"1010",     // 2
                                                  "1110",     // 3: chosen
                                                  "1000",     // 1
                                                  "0100"}));  // 1
  // Codes passing: 3 2 2 0.
  ASSERT_TRUE(selection.has_value());
  EXPECT_EQ(selection->chosen_code, 1);
  EXPECT_EQ(selection->chosen_test, 1);    // two codes pass it, as many as test 2, which comes later
  EXPECT_EQ(selection->rejected_test, 0);  // the easiest, which one code fails
  EXPECT_EQ(selection->rejected_code, 3);
}

TEST(Dstc, ATestThatAllPassRejectsNothing) {
  // Test 0 is passed by all; test 1 is the easiest that somebody fails.
  const auto selection = MinimaxSelection(Passes({"111", "110", "100", "101"}));
  ASSERT_TRUE(selection.has_value());
  EXPECT_EQ(selection->chosen_code, 0);
  EXPECT_EQ(selection->chosen_test, 1);
  EXPECT_EQ(selection->rejected_test, 1);
  EXPECT_EQ(selection->rejected_code, 2);
}

TEST(Dstc, TheChosenCodeIsNotRejected) {
  // The chosen code is the only one to fail the easiest test that somebody fails.
  EXPECT_FALSE(MinimaxSelection(Passes({"110", "001", "001"})).has_value());
}

TEST(Dstc, NeedsAPassAndAFailure) {
  EXPECT_FALSE(MinimaxSelection(Passes({"00", "00"})).has_value());
  EXPECT_FALSE(MinimaxSelection(Passes({"11", "11"})).has_value());
  EXPECT_FALSE(MinimaxSelection(Passes({"", ""})).has_value());
  EXPECT_FALSE(MinimaxSelection(Passes({"10"})).has_value());
  EXPECT_FALSE(MinimaxSelection({}).has_value());
  const auto least = MinimaxSelection(Passes({"0", "1"}));
  ASSERT_TRUE(least.has_value());
  EXPECT_EQ(least->chosen_code, 1);
  EXPECT_EQ(least->rejected_code, 0);
}

TEST(Dstc, TakesTheCodeOutOfMarkdown) {
  EXPECT_EQ(CodeIn("x = 1\nassert x"), "x = 1\nassert x");
  EXPECT_EQ(CodeIn("Sure:\n```python\ndef f():\n    return 1\n```\nand\n```\ng\n```"),
            "def f():\n    return 1");
  EXPECT_EQ(CodeIn("```\nx = 1"), "x = 1");  // cut off by the limit of new tokens
  EXPECT_EQ(CodeIn("```\n```"), "");
  EXPECT_EQ(CodeIn("in ```words``` alone"), "in ```words``` alone");
  EXPECT_EQ(CodeIn(""), "");
}

}  // namespace
}  // namespace plumb
