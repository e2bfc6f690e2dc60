#include "alignment/selection/attack_style.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(AttackStyle, PutsTheRequestInItsPlace) {
  EXPECT_EQ(AttackPrompt("Play a role. {request} Go on.", "Who?"), "Play a role. Who? Go on.");
  EXPECT_EQ(AttackPrompt("{request} {request}", "a {request}"), "a {request} a {request}");
  EXPECT_EQ(AttackPrompt("{request}", ""), "");
}

TEST(AttackStyle, AllStylesOrSomeDrawnOnes) {
  const RandomStream random(1, "test");
  EXPECT_EQ(StylesOfPrompt(3, 9, random), (std::vector<int64_t>{0, 1, 2}));
  int64_t drawn[4] = {};
  for (uint64_t i = 0; i < 4000; ++i) {
    const std::vector<int64_t> styles = StylesOfPrompt(4, 2, random.Child(i));
    ASSERT_EQ(styles.size(), 2u);
    EXPECT_LT(styles[0], styles[1]);
    for (const int64_t style : styles) ++drawn[style];
  }
  // Each with probability 1/2: five standard deviations of a binomial of 4,000.
  for (const int64_t count : drawn) EXPECT_NEAR(count, 2000, 158);
}

}  // namespace
}  // namespace plumb
