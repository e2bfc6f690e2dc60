#include "alignment/on_policy_pairs.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "common/nn/pretrained.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Ids = std::vector<int64_t>;

TEST(WinRates, AreMeansOverTheOtherAnswers) {
  const double one = 1 / (1 + std::exp(-1.0)), three = 1 / (1 + std::exp(-3.0)),
               two = 1 / (1 + std::exp(-2.0));
  const std::vector<double> rates = WinRates({1, 0, 3});
  EXPECT_NEAR(rates[0], (one + 1 - two) / 2, 1e-12);
  EXPECT_NEAR(rates[1], (1 - one + 1 - three) / 2, 1e-12);
  EXPECT_NEAR(rates[2], (two + three) / 2, 1e-12);
  EXPECT_THAT(WinRates({7}), ElementsAre(0.5));
  EXPECT_THAT(WinRates({-2000, 2000}), ElementsAre(0, 1));
}

TEST(PairsByWinRate, AreThoseOfALargeMargin) {
  const std::vector<double> rates = {0.5, 0.9, 0.1, 0.6};
  EXPECT_THAT(PairsByWinRate(rates, OnPolicyPairs::ALL, 0.35),
              ElementsAre(Pair(1, 2), Pair(3, 2), Pair(0, 2), Pair(1, 0)));
  EXPECT_THAT(PairsByWinRate(rates, OnPolicyPairs::BEST_AND_WORST, 0.35), ElementsAre(Pair(1, 2)));
  EXPECT_THAT(PairsByWinRate(rates, OnPolicyPairs::BEST_AND_WORST, 0.81), IsEmpty());
  EXPECT_THAT(PairsByWinRate({0.5, 0.5}, OnPolicyPairs::ALL, 0), IsEmpty());
  EXPECT_THAT(PairsByWinRate({}, OnPolicyPairs::BEST_AND_WORST, 0), IsEmpty());
}

TEST(PromptsOfPart, ArePartsOfOneSize) {
  const RandomStream random(1, "parts");
  std::set<int64_t> all;
  for (int64_t part = 1; part <= 3; ++part) {
    const Ids own = PromptsOfPart(11, part, 3, random);
    EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
    EXPECT_EQ(own.size(), part < 3 ? 4u : 3u);
    all.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all.size(), 11u);
  EXPECT_EQ(PromptsOfPart(4, 1, 1, random), (Ids{0, 1, 2, 3}));
}

class OnPolicyPairsTest : public testing::Test {
 protected:
  OnPolicyPairsTest() {
    const std::string folder = Runfile("alignment/testdata/trl_dpo/model");
    policy_.model = LoadCausalLm(folder).value();
    policy_.tokenizer = LoadTokenizer(folder).value();
    for (const double weight : {1.0, -0.5}) {
      rewards_.push_back({NewRewardModel(*policy_.model, RandomStream(weight > 0, "head")).value(), weight});
      rewards_.back().model.score.mul_(50);
    }
    config_.set_num_generations(4);
    config_.set_max_new_tokens(5);
    config_.set_temperature(1);
    config_.set_top_p(1);
    config_.set_min_margin(0);
  }

  static std::vector<TokenizedPreference> Examples() {
    std::vector<TokenizedPreference> examples(3);
    for (int64_t i = 0; i < 3; ++i) {
      examples[i].prompt_ids = {40 + i, 50, 60};
      examples[i].chosen_ids = {70, 80 + i, 398};
    }
    return examples;
  }

  // Each answer alone, its reward by its definition.
  double Reward(const Ids& prompt, const Ids& answer) {
    Ids whole = prompt;
    whole.insert(whole.end(), answer.begin(), answer.end());
    double sum = 0;
    for (WeightedReward& reward : rewards_) {
      const at::Tensor hidden = reward.model.body->Hidden(PackSequences(std::vector<Ids>{whole}));
      sum += reward.weight * (hidden[-1] * reward.model.score[0]).sum().item<double>();
    }
    return sum;
  }

  absl::Status Make(bool with_rejected, std::vector<TokenizedPreference>* examples) {
    counts_ = OnPolicyCounts();
    return MakeOnPolicyPairs(config_, policy_, absl::MakeSpan(rewards_), with_rejected, /*max_length=*/7,
                             RandomStream(1, "pairs"), examples, &counts_);
  }

  TextModel policy_;
  std::vector<WeightedReward> rewards_;
  OnPolicyPairs config_;
  OnPolicyCounts counts_;
};

TEST_F(OnPolicyPairsTest, PairsAreOfAnswersByTheirRewards) {
  config_.set_missing_eos_penalty(0.25);
  std::vector<TokenizedPreference> pairs = Examples();
  PLUMB_ASSERT_OK(Make(true, &pairs));
  EXPECT_EQ(counts_.prompts, 3);
  EXPECT_EQ(counts_.pairs, static_cast<int64_t>(pairs.size()));
  EXPECT_GE(pairs.size(), 3u);
  int gold = 0;
  for (const TokenizedPreference& pair : pairs) {
    for (const bool chosen : {true, false}) {
      const Ids& answer = chosen ? pair.chosen_ids : pair.rejected_ids;
      const double score = (chosen ? pair.score_chosen : pair.score_rejected).at(0);
      const double penalty = answer.back() == 398 ? 0 : 0.25;
      EXPECT_NEAR(score, Reward(pair.prompt_ids, answer) - penalty, 1e-4);
      EXPECT_LE(pair.prompt_ids.size() + answer.size(), 7u);
      gold += answer == Ids{70, 80 + pair.prompt_ids[0] - 40, 398} ? 1 : 0;
    }
    EXPECT_GT(pair.score_chosen[0], pair.score_rejected[0]);
  }
  EXPECT_GT(gold, 0);

  config_.set_score(OnPolicyPairs::WIN_RATE);
  std::vector<TokenizedPreference> by_win_rate = Examples();
  PLUMB_ASSERT_OK(Make(true, &by_win_rate));
  ASSERT_EQ(by_win_rate.size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(by_win_rate[i].chosen_ids, pairs[i].chosen_ids);
    EXPECT_LE(by_win_rate[i].score_chosen.at(0), 1);
    EXPECT_GE(by_win_rate[i].score_rejected.at(0), 0);
    EXPECT_GT(by_win_rate[i].score_chosen[0] - by_win_rate[i].score_rejected[0], config_.min_margin());
  }

  const auto again = ReadSampledPairs(WriteSampledPairs(pairs));
  PLUMB_ASSERT_OK(again);
  ASSERT_EQ(again->size(), pairs.size());
  EXPECT_EQ(WriteSampledPairs(*again), WriteSampledPairs(pairs));
  EXPECT_EQ(again->back().rejected_ids, pairs.back().rejected_ids);
  EXPECT_EQ(again->back().score_chosen, pairs.back().score_chosen);
  EXPECT_FALSE(ReadSampledPairs("{\"prompt_ids\": [1]}").ok());
  EXPECT_FALSE(ReadSampledPairs("{\"prom").ok());
}

TEST_F(OnPolicyPairsTest, APromptsDirectionWeighsTheRewards) {
  const Ids prompt = {40, 50, 60};
  const std::vector<Ids> answers = {{70, 80}, {90}};
  const auto all = AnswerRewards(absl::MakeSpan(rewards_), prompt, answers, {0.6, -0.8});
  PLUMB_ASSERT_OK(all);
  for (size_t i = 0; i < 2; ++i) {
    double expected = 0;
    for (const size_t k : {0, 1}) {
      const auto one = AnswerRewards(absl::MakeSpan(&rewards_[k], 1), prompt, answers);
      PLUMB_ASSERT_OK(one);
      expected += (k == 0 ? 0.6 : -0.8) * (*one)[i];
    }
    EXPECT_NEAR((*all)[i], expected, 1e-9);
  }
  std::vector<TokenizedPreference> first = Examples(), second = Examples();
  for (TokenizedPreference& example : first) example.reward_direction = {1, 0};
  for (TokenizedPreference& example : second) example.reward_direction = {-1, 0};
  const Ids undirected = {30, 31};
  for (auto* examples : {&first, &second}) {
    for (TokenizedPreference& example : *examples) example.undirected_prompt_ids = undirected;
  }
  config_.set_selection(OnPolicyPairs::BEST_AND_WORST);
  PLUMB_ASSERT_OK(Make(true, &first));
  PLUMB_ASSERT_OK(Make(true, &second));
  ASSERT_EQ(first.size(), 3u);
  ASSERT_EQ(second.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto reward = AnswerRewards(absl::MakeSpan(rewards_), undirected, {first[i].chosen_ids}, {1, 0});
    PLUMB_ASSERT_OK(reward);
    EXPECT_NEAR(first[i].score_chosen[0], (*reward)[0], 1e-4);
    EXPECT_EQ(first[i].chosen_ids, second[i].rejected_ids);
    EXPECT_EQ(first[i].rejected_ids, second[i].chosen_ids);
  }
}

TEST_F(OnPolicyPairsTest, TheBestAnswerIsKept) {
  config_.set_selection(OnPolicyPairs::BEST_AND_WORST);
  std::vector<TokenizedPreference> pairs = Examples(), best = Examples();
  PLUMB_ASSERT_OK(Make(true, &pairs));
  PLUMB_ASSERT_OK(Make(false, &best));
  ASSERT_EQ(pairs.size(), 3u);
  ASSERT_EQ(best.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(best[i].chosen_ids, pairs[i].chosen_ids);
    EXPECT_TRUE(best[i].rejected_ids.empty());
  }
}

}  // namespace
}  // namespace plumb
