#include "common/nn/sampling.h"

#include <cmath>
#include <nlohmann/json.hpp>

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

TEST(SamplingTest, LogpIsTheLogSoftmax) {
  const std::vector<float> logits = {1000, 1001, 999};
  const double total = std::exp(-1.0) + 1 + std::exp(-2.0);
  EXPECT_NEAR(TokenLogp(logits, 0), -1 - std::log(total), 1e-6);
  EXPECT_EQ(LikeliestToken(logits), 1);
  EXPECT_EQ(LikeliestToken({2, 2, 1}), 0);
}

}  // namespace
}  // namespace plumb
