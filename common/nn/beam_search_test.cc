#include "common/nn/beam_search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/nn/model.pb.h"
#include "common/nn/new_model.h"
#include "common/nn/rollout_logps.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Ids = std::vector<int64_t>;

constexpr int64_t kVocabulary = 7;
const Ids kPrompt = {3, 1, 4};

std::unique_ptr<CausalLm> Model(uint64_t seed) {
  NewModel recipe;
  recipe.set_hidden_size(16);
  recipe.set_intermediate_size(24);
  recipe.set_num_hidden_layers(2);
  recipe.set_num_attention_heads(2);
  recipe.set_num_key_value_heads(1);
  recipe.set_initializer_range(0.8);
  VocabularyInfo vocabulary;
  vocabulary.vocab_size = kVocabulary;
  auto model = NewCausalLm(recipe, vocabulary, RandomStream(seed, "model"), at::kFloat);
  PLUMB_EXPECT_OK(model);
  return *std::move(model);
}

// Sum of log-probabilities without any cache.
double Logp(CausalLm& model, const Ids& answer) {
  return RolloutLogps(model, PackRollouts(kPrompt, std::vector<Ids>{answer})).sum().item<double>();
}

// Every answer that ends with token 0, or has three tokens.
void AddAnswers(const Ids& begun, std::vector<Ids>* answers) {
  for (int64_t token = 0; token < kVocabulary; ++token) {
    Ids answer = begun;
    answer.push_back(token);
    if (token == 0 || answer.size() == 3) {
      answers->push_back(answer);
    } else {
      AddAnswers(answer, answers);
    }
  }
}

BeamSearchOptions Options(int64_t num_beams, double length_penalty = 1) {
  BeamSearchOptions options;
  options.num_beams = num_beams;
  options.max_new_tokens = 3;
  options.length_penalty = length_penalty;
  options.eos_token_ids = {0};
  return options;
}

class WideBeam : public testing::TestWithParam<bool> {};

// With as many beams as there are prefixes nothing is lost: the best of all answers are found.
TEST_P(WideBeam, FindsTheBestOfAllAnswers) {
  const auto model = Model(1), reference = Model(2);
  const bool by_value = GetParam();
  std::vector<Ids> answers;
  AddAnswers({}, &answers);
  for (const double penalty : {0.0, 1.0}) {
    std::vector<std::pair<double, Ids>> expected;
    for (const Ids& answer : answers) {
      const double sum = Logp(*model, answer) - (by_value ? Logp(*reference, answer) : 0);
      expected.emplace_back(sum / std::pow(static_cast<double>(answer.size()), penalty), answer);
    }
    std::sort(expected.rbegin(), expected.rend());
    const auto found =
        BeamSearch(*model, by_value ? reference.get() : nullptr, kPrompt, Options(400, penalty));
    PLUMB_ASSERT_OK(found);
    ASSERT_EQ(found->size(), answers.size());
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_NEAR((*found)[i].score, expected[i].first, 1e-4) << i;
      EXPECT_EQ((*found)[i].sequence.token_ids, expected[i].second) << i;
      double sum = 0;
      for (const float logp : (*found)[i].sequence.logps) sum += logp;
      EXPECT_NEAR(sum, Logp(*model, expected[i].second), 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scores, WideBeam, testing::Bool(),
                         [](const auto& info) { return info.param ? "ImplicitValue" : "Likelihood"; });

TEST(BeamSearch, OneBeamIsGreedy) {
  const auto model = Model(3);
  BeamSearchOptions options = Options(1, 0);
  options.max_new_tokens = 20;
  GenerationOptions greedy;
  greedy.set_max_new_tokens(20);
  greedy.add_eos_token_id(0);
  const std::vector<GenerationRequest> requests = {{kPrompt, RandomStream(1, "unused")}};
  const auto expected = Generate(*model, requests, greedy);
  const auto found = BeamSearch(*model, nullptr, kPrompt, options);
  PLUMB_ASSERT_OK(expected);
  PLUMB_ASSERT_OK(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].sequence.token_ids, (*expected)[0].token_ids);
}

// Three beams over many steps, whose parents change places: scores are those of the whole answers.
TEST(BeamSearch, ScoresAreThoseOfTheWholeAnswer) {
  const auto model = Model(4), reference = Model(5);
  BeamSearchOptions options = Options(3, 0);
  options.max_new_tokens = 40;
  options.eos_token_ids.clear();
  const auto found = BeamSearch(*model, reference.get(), kPrompt, options);
  PLUMB_ASSERT_OK(found);
  ASSERT_EQ(found->size(), 3u);
  for (const BeamHypothesis& hypothesis : *found) {
    const Ids& answer = hypothesis.sequence.token_ids;
    EXPECT_EQ(answer.size(), 40u);
    EXPECT_NEAR(hypothesis.score, Logp(*model, answer) - Logp(*reference, answer), 1e-2);
    EXPECT_EQ(hypothesis.sequence.finish_reason, GeneratedSequence::FinishReason::kMaxNewTokens);
  }
  EXPECT_GE((*found)[0].score, (*found)[1].score);
  EXPECT_GE((*found)[1].score, (*found)[2].score);
}

}  // namespace
}  // namespace plumb
