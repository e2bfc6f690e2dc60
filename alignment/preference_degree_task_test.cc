#include "alignment/preference_degree_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

#include "alignment/key_phrases.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(KeyPhrases, AreRunsOfWordsBetweenStopWordsByRakesScore) {
  //                         0         1         2         3         4
  const std::string text = "Deep learning is a learning method. Deep nets,\nand deep  learning.";
  // learning: in runs of 2, 2 and 2 words, 3 times; deep: 2, 2, 2, 3 times; method: 2, once; nets: 2, once.
  const std::vector<KeyPhrase> phrases = KeyPhrases(text);
  ASSERT_EQ(phrases.size(), 3u);
  for (const KeyPhrase& phrase : phrases) EXPECT_EQ(phrase.score, 4);
  EXPECT_EQ(phrases[0].text, "deep learning");
  EXPECT_THAT(phrases[0].places, ElementsAre(Pair(0, 13), Pair(51, 65)));
  EXPECT_EQ(phrases[1].text, "learning method");
  EXPECT_THAT(phrases[1].places, ElementsAre(Pair(19, 34)));
  EXPECT_EQ(phrases[2].text, "deep nets");

  const std::vector<KeyPhrase> ranked = KeyPhrases("cats and old grey cats; the sky");
  ASSERT_EQ(ranked.size(), 3u);
  EXPECT_EQ(ranked[0].text, "old grey cats");
  EXPECT_EQ(ranked[0].score, 3 + 3 + 4.0 / 2);
  EXPECT_EQ(ranked[1].text, "cats");
  EXPECT_EQ(ranked[1].score, 2);
  EXPECT_EQ(ranked[2].score, 1);
  EXPECT_THAT(KeyPhrases("it is, and so on..."), IsEmpty());
  EXPECT_THAT(KeyPhrases(""), IsEmpty());
}

TEST(DegradedAnswers, LoseTheirKeyContentByDegrees) {
  const auto tokenizer = LoadTokenizer(Runfile("alignment/testdata/trl_dpo/model"));
  PLUMB_ASSERT_OK(tokenizer);
  const std::vector<int64_t> prompt = (*tokenizer)->Encode("Q: What?", true);
  std::vector<int64_t> answer = (*tokenizer)->Encode(" It is an old grey house and it was the sky.", false);
  answer.push_back(*(*tokenizer)->eos_token_id());
  const auto text = [&](const std::vector<int64_t>& ids) { return (*tokenizer)->Decode(ids, true); };
  const auto degrees = DegradedAnswers(**tokenizer, prompt, answer, 3);
  ASSERT_EQ(degrees.size(), 3u);
  EXPECT_EQ(degrees[0], answer);
  const std::string one = text(degrees[1]), two = text(degrees[2]);
  EXPECT_EQ(one.find("house"), std::string::npos) << one;
  EXPECT_NE(one.find("sky"), std::string::npos) << one;
  EXPECT_EQ(two.find("sky"), std::string::npos) << two;
  EXPECT_NE(two.find("it was the"), std::string::npos) << two;
  for (const auto& degree : degrees) EXPECT_EQ(degree.back(), answer.back());
  EXPECT_THAT(DegradedAnswers(**tokenizer, prompt, answer, 4), IsEmpty());
  EXPECT_THAT(DegradedAnswers(**tokenizer, prompt, {answer.back()}, 2), IsEmpty());
}

at::Tensor F64(const std::vector<double>& values, at::IntArrayRef sizes) {
  return at::tensor(values, at::kDouble).view(sizes).clone();
}

TEST(PreferenceDegreeLosses, AreCrossEntropiesWithTheirGradients) {
  const std::vector<std::vector<double>> states = {{0.5, -1}, {2, 0.25}};
  const std::vector<std::vector<double>> weight = {{0.1, 0.2}, {-0.3, 0.4}, {0.7, -0.6}};
  const std::vector<double> bias = {0.05, -0.1, 0.2};
  const std::vector<int64_t> labels = {2, 0};
  std::vector<at::Tensor> inputs = {F64({0.5, -1, 2, 0.25}, {2, 2}),
                                    F64({0.1, 0.2, -0.3, 0.4, 0.7, -0.6}, {3, 2}), F64(bias, {3})};
  const at::Tensor label = at::tensor(labels, at::kLong);
  for (at::Tensor& input : inputs) input.set_requires_grad(true);
  const at::Tensor losses = PreferenceDegreeLosses(inputs[0], inputs[1], inputs[2], label);
  for (size_t n = 0; n < 2; ++n) {
    double sum = 0, own = 0;
    for (size_t k = 0; k < 3; ++k) {
      const double score = weight[k][0] * states[n][0] + weight[k][1] * states[n][1] + bias[k];
      sum += std::exp(score);
      if (static_cast<int64_t>(k) == labels[n]) own = score;
    }
    EXPECT_NEAR(losses[n].item<double>(), std::log(sum) - own, 1e-12);
  }
  losses.sum().backward();
  for (at::Tensor& input : inputs) {
    const at::Tensor gradient = input.grad().view({-1});
    const at::Tensor flat = input.detach().view({-1});
    double* values = flat.mutable_data_ptr<double>();
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const double before = values[i];
      const auto at_value = [&](double value) {
        values[i] = value;
        return PreferenceDegreeLosses(inputs[0], inputs[1], inputs[2], label).sum().item<double>();
      };
      const double difference = (at_value(before + 1e-6) - at_value(before - 1e-6)) / 2e-6;
      values[i] = before;
      EXPECT_NEAR(gradient[i].item<double>(), difference, 1e-8);
    }
  }
}

}  // namespace
}  // namespace plumb
