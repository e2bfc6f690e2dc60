#include "common/nn/sampling.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/nn/generation.pb.h"
#include "common/tensor/random.h"
#include "common/tensor/safetensors.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

TEST(SamplingTest, ProcessedLogitsAgreeWithTransformers) {
  const auto file = Safetensors::Open(Runfile("common/nn/testdata/logits_processors/golden.safetensors"));
  PLUMB_ASSERT_OK(file);
  const at::Tensor scores = file->Get("scores").value(), previous = file->Get("previous_ids").value();
  const auto cases = nlohmann::json::parse(file->metadata().at("cases"));
  ASSERT_GT(cases.size(), 10);
  for (const auto& setting : cases) {
    GenerationOptions options;
    options.set_do_sample(true);
    options.set_temperature(setting["temperature"]);
    options.set_top_k(setting["top_k"]);
    options.set_top_p(setting["top_p"]);
    options.set_repetition_penalty(setting["repetition_penalty"]);
    const at::Tensor expected = file->Get(setting["name"]).value();
    for (int64_t row = 0; row < scores.size(0); ++row) {
      const float* begin = scores.data_ptr<float>() + row * scores.size(1);
      std::vector<float> logits(begin, begin + scores.size(1));
      const int64_t* ids = previous.data_ptr<int64_t>() + row * previous.size(1);
      ProcessLogits(absl::MakeSpan(logits), absl::MakeConstSpan(ids, previous.size(1)), options);
      for (size_t i = 0; i < logits.size(); ++i) {
        const float golden = expected.data_ptr<float>()[row * scores.size(1) + i];
        if (std::isinf(golden)) {
          EXPECT_EQ(logits[i], golden) << setting << " row " << row << " token " << i;
        } else {
          EXPECT_NEAR(logits[i], golden, 1e-5) << setting << " row " << row << " token " << i;
        }
      }
    }
  }
}

TEST(SamplingTest, WithoutSamplingOnlyThePenaltyActs) {
  GenerationOptions options;
  options.set_temperature(0.5);
  options.set_top_k(1);
  options.set_repetition_penalty(2);
  std::vector<float> logits = {1, -1, 3};
  ProcessLogits(absl::MakeSpan(logits), {0, 1, 0}, options);
  EXPECT_EQ(logits, (std::vector<float>{0.5, -2, 3}));
}

TEST(SamplingTest, TokensComeAsOftenAsTheirProbability) {
  const std::vector<float> logits = {std::log(0.5f), -INFINITY, std::log(0.2f), std::log(0.3f)};
  const RandomStream random(1, "sampling");
  std::vector<int> counts(4);
  const int draws = 20000;
  for (int i = 0; i < draws; ++i) ++counts[SampleToken(logits, random.Uniform(i))];
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[0], 0.5 * draws, 4 * std::sqrt(0.25 * draws));
  EXPECT_NEAR(counts[2], 0.2 * draws, 4 * std::sqrt(0.16 * draws));
  EXPECT_EQ(SampleToken(logits, 0), 0);
  EXPECT_EQ(SampleToken(logits, 1 - 1e-16), 3);
}

// More logits than the blocks that the selection looks at, without order, many of them equal.
std::vector<float> ManyLogits(int64_t size) {
  const RandomStream random(2, "logits");
  std::vector<float> logits(size);
  for (int64_t i = 0; i < size; ++i) logits[i] = std::round(30 * random.Normal(i)) / 10;
  return logits;
}

// By a full sort: top-k keeps all that equal the k-th; top-p goes from the likeliest down, of equals the last
// first.
std::vector<float> CutBySorting(std::vector<float> logits, int64_t k, double p) {
  std::vector<int64_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = order.size() - 1 - i;
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return logits[a] > logits[b]; });
  const float smallest = logits[order[std::min<int64_t>(k > 0 ? k : order.size(), order.size()) - 1]];
  double total = 0, above = 0;
  for (const float logit : logits) total += logit < smallest ? 0 : std::exp(double{logit});
  std::vector<float> kept(logits.size(), -INFINITY);
  for (const int64_t id : order) {
    if (logits[id] < smallest || above >= p * total) break;
    kept[id] = logits[id];
    above += std::exp(double{logits[id]});
  }
  return kept;
}

TEST(SamplingTest, CutsOfALargeVocabularyAreThoseOfASort) {
  for (const int64_t size : {1, 255, 5000}) {
    for (const int64_t k : {0, 1, 19, 20, 50, 700, 6000}) {
      for (const double p : {0.05, 0.7, 0.999, 1.0}) {
        GenerationOptions options;
        options.set_do_sample(true);
        options.set_top_k(k);
        options.set_top_p(p);
        std::vector<float> logits = ManyLogits(size);
        const std::vector<float> expected = CutBySorting(logits, k, p);
        ProcessLogits(absl::MakeSpan(logits), {}, options);
        EXPECT_EQ(logits, expected) << "of " << size << ", top_k " << k << ", top_p " << p;
      }
    }
  }
}

TEST(SamplingTest, TokensOfALargeVocabularyPassTheirNumber) {
  const std::vector<float> logits = ManyLogits(5000);
  double total = 0;
  for (const float logit : logits) total += std::exp(double{logit});
  for (const double uniform : {0.0, 1e-3, 0.25, 0.5, 0.999, 1 - 1e-16}) {
    const int64_t token = SampleToken(logits, uniform);
    double before = 0;
    for (int64_t i = 0; i < token; ++i) before += std::exp(double{logits[i]});
    EXPECT_LE(before / total, uniform + 1e-6);
    EXPECT_GE((before + std::exp(double{logits[token]})) / total, uniform - 1e-6);
  }
}

TEST(SamplingTest, TheSumOfExponentials) {
  EXPECT_NEAR(LogSumExp({1000, 1001, 999}), 1001 + std::log(std::exp(-1.0) + 1 + std::exp(-2.0)), 1e-6);
  EXPECT_FALSE(std::isfinite(LogSumExp({0, NAN, 1})));
  EXPECT_FALSE(std::isfinite(LogSumExp({-INFINITY, -INFINITY})));
  EXPECT_EQ(LikeliestToken({0, 3, 1}), 1);
  EXPECT_EQ(LikeliestToken({2, 2, 1}), 0);
}

}  // namespace
}  // namespace plumb
