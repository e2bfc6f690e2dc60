#include "alignment/selection/decontamination.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/tensor/random.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Match = ContaminationIndex::Match;
using Words = std::vector<std::string>;

TEST(WordTokens, AreLowerCaseRunsOfLettersAndDigits) {
  EXPECT_EQ(WordTokens("It's 3.5 km -- REALLY_far!"), (Words{"it", "s", "3", "5", "km", "really_far"}));
  EXPECT_EQ(WordTokens("Čapek's “šest”"), (Words{"Čapek", "s", "šest"}));
  EXPECT_EQ(WordTokens("我是a1。カナ"), (Words{"我", "是", "a1", "カ", "ナ"}));
  EXPECT_TRUE(WordTokens(" ...\n").empty());
  EXPECT_TRUE(WordTokens("").empty());
}

ContaminationIndex Index(Match match, int64_t n, const Words& tests) {
  ContaminationIndex index(match, n);
  for (const std::string& test : tests) index.Add(test);
  return index;
}

TEST(Decontamination, CountsTheTokensOfSharedNgrams) {
  // Of ten tokens, "b c d" and "c d e" cover four, "h i j" three more.
  const ContaminationIndex index = Index(Match::kNgram, 3, {"a b c d e f g h i j"});
  const auto overlap = index.LargestOverlap("x b c d e x H, I: J");
  EXPECT_EQ(overlap.test, 0);
  EXPECT_DOUBLE_EQ(overlap.share, 0.7);
  EXPECT_EQ(index.LargestOverlap("a b x c d").test, -1);
  EXPECT_EQ(index.LargestOverlap("a b").test, -1);
  EXPECT_EQ(index.LargestOverlap("").test, -1);
  // An n-gram that comes twice counts once; order within it matters.
  EXPECT_DOUBLE_EQ(index.LargestOverlap("a b c a b c").share, 0.3);
  EXPECT_EQ(index.LargestOverlap("c b a").test, -1);
}

TEST(Decontamination, FindsTheTestTextThatIsCoveredMost) {
  const ContaminationIndex index =
      Index(Match::kNgram, 2, {"the cat sat on a mat", "the cat", "the cat", "the dog sat on a mat"});
  EXPECT_EQ(index.LargestOverlap("The cat sat on a mat.").test, 0);
  EXPECT_EQ(index.LargestOverlap("The dog sat on a mat.").test, 3);
  EXPECT_EQ(index.LargestOverlap("the cat").test, 1);  // whole, and before its equal
  EXPECT_EQ(index.LargestOverlap("the cat").share, 1);
}

TEST(Decontamination, ATestTextShorterThanAnNgramMatchesNothing) {
  const ContaminationIndex index = Index(Match::kNgram, 8, {"one two three", "", "1 2 3 4 5 6 7 8"});
  EXPECT_EQ(index.size(), 3);
  EXPECT_EQ(index.LargestOverlap("one two three four five six seven eight nine").test, -1);
  EXPECT_EQ(index.LargestOverlap("0 1 2 3 4 5 6 7 8 9").test, 2);
}

TEST(Decontamination, ExactIsTheWholeTextWithinTheOther) {
  const ContaminationIndex index =
      Index(Match::kExact, 8, {"What is 2+2?", "", "a b c d e f g h i j", "is 2 2 then"});
  EXPECT_EQ(index.LargestOverlap("Tell me: what is 2 + 2 then").test, 0);
  EXPECT_EQ(index.LargestOverlap("Tell me: what is 2 + 2 then").share, 1);
  EXPECT_EQ(index.LargestOverlap("what is 2").test, -1);
  EXPECT_EQ(index.LargestOverlap("that is 2 2 then").test, 3);
  EXPECT_EQ(index.LargestOverlap("x a b c d e f g h i j x").test, 2);
  EXPECT_EQ(index.LargestOverlap("a b c d e f g h i").test, -1);
  EXPECT_EQ(index.LargestOverlap("a b c d e f g h i k").test, -1);
  EXPECT_EQ(index.LargestOverlap("").test, -1);
}

// The definition, word by word.
double ShareByDefinition(const Words& test, const Words& text, size_t n) {
  std::set<Words> in_text;
  for (size_t i = 0; i + n <= text.size(); ++i) in_text.insert(Words(text.begin() + i, text.begin() + i + n));
  std::set<size_t> matched;
  for (size_t i = 0; i + n <= test.size(); ++i) {
    if (in_text.count(Words(test.begin() + i, test.begin() + i + n)) == 0) continue;
    for (size_t t = i; t < i + n; ++t) matched.insert(t);
  }
  return static_cast<double>(matched.size()) / test.size();
}

TEST(Decontamination, AgreesWithTheDefinitionOnRandomTexts) {
  const RandomStream random(5, "texts");
  uint64_t draw = 0;
  const auto words = [&](int size) {
    Words some;
    for (int i = 0; i < size; ++i) some.push_back(absl::StrCat("w", random.Below(draw++, 3)));
    return some;
  };
  for (int trial = 0; trial < 200; ++trial) {
    const int64_t n = 1 + trial % 4;
    std::vector<Words> tests;
    ContaminationIndex index(Match::kNgram, n), exact(Match::kExact);
    for (int i = 0; i < 5; ++i) {
      tests.push_back(words(1 + static_cast<int>(random.Below(draw++, 12))));
      index.Add(absl::StrJoin(tests.back(), " "));
      exact.Add(absl::StrJoin(tests.back(), " "));
    }
    const Words text = words(static_cast<int>(random.Below(draw++, 25)));
    double largest = 0;
    int64_t first_within = -1;
    for (size_t i = 0; i < tests.size(); ++i) {
      largest = std::max(largest, ShareByDefinition(tests[i], text, n));
      const bool within =
          std::search(text.begin(), text.end(), tests[i].begin(), tests[i].end()) != text.end();
      if (within && first_within < 0) first_within = i;
    }
    const auto overlap = index.LargestOverlap(absl::StrJoin(text, " "));
    EXPECT_DOUBLE_EQ(overlap.share, largest);
    if (overlap.test >= 0) {
      EXPECT_DOUBLE_EQ(ShareByDefinition(tests[overlap.test], text, n), largest);
    }
    EXPECT_EQ(exact.LargestOverlap(absl::StrJoin(text, " ")).test, first_within);
  }
}

}  // namespace
}  // namespace plumb
