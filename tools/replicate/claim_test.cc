#include "tools/replicate/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace plumb {
namespace {

TEST(PairedEffect, IsOfDifferences) {
  const Interval effect = PairedEffect({{11, 10}, {2, 0}, {3, 0}}), same = MeanInterval({1, 2, 3});
  EXPECT_EQ(effect.mean, same.mean);
  EXPECT_EQ(effect.low, same.low);
  EXPECT_EQ(effect.high, same.high);
}

TEST(Verdict, NeedsTheWholeInterval) {
  EXPECT_EQ(Verdict({1, 0.1, 2}, /*lower_is_better=*/false), "holds");
  EXPECT_EQ(Verdict({1, 0.1, 2}, /*lower_is_better=*/true), "does not hold");
  EXPECT_EQ(Verdict({1, -0.1, 2}, /*lower_is_better=*/false), "cannot tell");
  EXPECT_EQ(Verdict({-1, -2, -0.1}, /*lower_is_better=*/true), "holds");
}

TEST(Claims, SayWhatTheyAre) {
  ASSERT_FALSE(Claims().empty());
  EXPECT_TRUE(std::is_sorted(Claims().begin(), Claims().end(),
                             [](const PaperClaim& a, const PaperClaim& b) { return a.name < b.name; }));
  for (const PaperClaim& claim : Claims()) {
    for (const std::string& text :
         {claim.paper, claim.sentence, claim.method, claim.baseline, claim.figure, claim.caveat}) {
      EXPECT_FALSE(text.empty()) << claim.name;
      EXPECT_THAT(text, testing::Not(testing::HasSubstr("|"))) << claim.name << ": the page is a table";
    }
    EXPECT_GE(claim.seeds, 5) << claim.name;
  }
}

}  // namespace
}  // namespace plumb
