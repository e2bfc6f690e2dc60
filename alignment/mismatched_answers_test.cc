#include "alignment/mismatched_answers.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

// Examples with prompts of these tokens, and answers 100, 101, 102 ...
std::vector<TokenizedPreference> Examples(const std::vector<int64_t>& prompts) {
  std::vector<TokenizedPreference> examples(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    examples[i].prompt_ids = {prompts[i]};
    examples[i].chosen_ids = {static_cast<int64_t>(100 + i), 7};
  }
  return examples;
}

std::vector<int64_t> Partners(int64_t block, const std::vector<int64_t>& prompts) {
  std::vector<TokenizedPreference> examples = Examples(prompts);
  AddMismatchedAnswers(block, 64, &examples);
  std::vector<int64_t> partners;
  for (const TokenizedPreference& example : examples) partners.push_back(example.rejected_ids[0] - 100);
  return partners;
}

TEST(MismatchedAnswers, ComeFromTheExampleBeforeWithinABlock) {
  EXPECT_EQ(Partners(3, {1, 2, 3, 4, 5, 6, 7, 8}), (std::vector<int64_t>{2, 0, 1, 5, 3, 4, 7, 6}));
}

TEST(MismatchedAnswers, ComeFromAnotherPrompt) {
  EXPECT_EQ(Partners(4, {1, 1, 2, 2}), (std::vector<int64_t>{3, 3, 1, 1}));
}

TEST(MismatchedAnswers, AreSearchedEverywhereWhereABlockHasOnePrompt) {
  EXPECT_EQ(Partners(2, {1, 1, 2, 3, 4}), (std::vector<int64_t>{4, 4, 3, 2, 3}));
  EXPECT_EQ(Partners(2, {1, 1}), (std::vector<int64_t>{0, 1}));  // there is none
}

TEST(MismatchedAnswers, AreCutToTheLength) {
  std::vector<TokenizedPreference> examples = Examples({1, 2});
  examples[0].prompt_ids = {1, 1, 1};
  AddMismatchedAnswers(2, 4, &examples);
  EXPECT_EQ(examples[0].rejected_ids, std::vector<int64_t>{101});
  EXPECT_EQ(examples[1].rejected_ids, (std::vector<int64_t>{100, 7}));
}

}  // namespace
}  // namespace plumb
