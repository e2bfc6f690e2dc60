#include "common/nn/generation.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/data/tokenizer.h"
#include "common/files/files.h"
#include "common/nn/pretrained.h"
#include "common/nn/text_stream.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Ids = std::vector<int64_t>;
using Reason = GeneratedSequence::FinishReason;

std::string Folder(const std::string& name) { return Runfile("common/nn/testdata/" + name); }

std::unique_ptr<CausalLm> Load(const std::string& name) {
  auto model = LoadCausalLm(Folder(name), at::kFloat);
  PLUMB_EXPECT_OK(model);
  return std::move(model).value();
}

GenerationRequest Request(const Ids& prompt, uint64_t stream = 0) {
  return {prompt, RandomStream(1, "generation").Child(stream)};
}

class GoldenGenerationTest : public testing::TestWithParam<const char*> {};

TEST_P(GoldenGenerationTest, GreedyTokensAreThoseOfTransformers) {
  auto model = Load(GetParam());
  const auto golden = nlohmann::json::parse(ReadFile(Folder(GetParam()) + "/generate.json").value());
  std::map<double, std::vector<GenerationRequest>> batches;  // by repetition penalty: ragged prompts together
  std::map<double, std::vector<Ids>> expected;
  for (const auto& one : golden["cases"]) {
    batches[one["repetition_penalty"]].push_back(Request(one["prompt_ids"]));
    expected[one["repetition_penalty"]].push_back(one["output_ids"]);
  }
  ASSERT_EQ(batches.size(), 2);
  for (const auto& [penalty, requests] : batches) {
    GenerationOptions options;
    options.set_max_new_tokens(20);
    options.set_repetition_penalty(penalty);
    const auto results = Generate(*model, requests, options);
    PLUMB_ASSERT_OK(results);
    for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ((*results)[i].token_ids, expected[penalty][i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenGenerationTest,
                         testing::Values("llama", "llama_tied", "mistral", "qwen2", "gpt2"),
                         [](const auto& info) { return std::string(info.param); });

GenerationOptions Sampling(int64_t tokens) {
  GenerationOptions options;
  options.set_max_new_tokens(tokens);
  options.set_do_sample(true);
  options.set_temperature(2);
  return options;
}

TEST(GenerationTest, NeighboursInTheBatchChangeNothing) {
  auto model = Load("llama");
  const std::vector<GenerationRequest> requests = {Request({5, 6, 7}, 1), Request({8}, 2),
                                                   Request({5, 6, 7}, 3), Request({9, 10}, 4)};
  const auto together = Generate(*model, requests, Sampling(12));
  PLUMB_ASSERT_OK(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto alone = Generate(*model, {requests[i]}, Sampling(12));
    PLUMB_ASSERT_OK(alone);
    EXPECT_EQ((*together)[i].token_ids, (*alone)[0].token_ids);
  }
  EXPECT_NE((*together)[0].token_ids, (*together)[2].token_ids);  // same prompt, another stream
}

TEST(GenerationTest, LogpsAreTheModelsOwn) {
  auto model = Load("qwen2");
  GenerationOptions options = Sampling(8);
  options.set_top_k(3);
  options.set_repetition_penalty(1.2);
  const auto results = Generate(*model, {Request({5, 6, 7})}, options);
  PLUMB_ASSERT_OK(results);
  Ids whole = {5, 6, 7};
  const Ids& added = (*results)[0].token_ids;
  whole.insert(whole.end(), added.begin(), added.end());
  const at::Tensor logps = Logits(*model, model->Hidden(PackSequences({whole}))).log_softmax(-1);
  for (size_t i = 0; i < added.size(); ++i) {
    EXPECT_NEAR((*results)[0].logps[i], logps[2 + i][added[i]].item<float>(), 1e-5);
  }
}

TEST(GenerationTest, EndsAtTheEndOfSequence) {
  auto model = Load("llama");
  GenerationOptions options;
  options.set_max_new_tokens(20);
  const Ids free = Generate(*model, {Request({9})}, options)->at(0).token_ids;
  options.add_eos_token_id(free[4]);
  const GeneratedSequence ended = Generate(*model, {Request({9}), Request({7, 4})}, options)->at(0);
  EXPECT_EQ(ended.token_ids, Ids(free.begin(), std::find(free.begin(), free.end(), free[4]) + 1));
  EXPECT_EQ(ended.finish_reason, Reason::kEndOfSequence);
}

// Token i is the bytes of text(i); 90 and up are the four bytes of an emoji.
class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int64_t> Encode(absl::string_view text, bool) const override { return {}; }
  std::string Decode(absl::Span<const int64_t> ids, bool) const override {
    std::string text, pending;
    const std::string emoji = "\xf0\x9f\x98\x80";
    for (const int64_t id : ids) {
      if (id >= 90 && id < 94) {
        pending += emoji[id - 90];
        if (pending == emoji) text += pending, pending.clear();
        continue;
      }
      if (!pending.empty()) text += "\xef\xbf\xbd", pending.clear();
      text += absl::StrCat("<", id, ">");
    }
    if (!pending.empty()) text += "\xef\xbf\xbd";
    return text;
  }
  int64_t vocab_size() const override { return 96; }
  std::optional<int64_t> TokenToId(absl::string_view) const override { return std::nullopt; }
  std::optional<int64_t> bos_token_id() const override { return std::nullopt; }
  std::optional<int64_t> eos_token_id() const override { return std::nullopt; }
  const std::string& chat_template() const override { return empty_; }
  absl::Status Save(const std::string&) const override { return absl::OkStatus(); }

 private:
  std::string empty_;
};

TEST(GenerationTest, StreamsTheTextAndStopsAtAString) {
  auto model = Load("llama");
  ByteTokenizer tokenizer;
  GenerationOptions options;
  options.set_max_new_tokens(20);
  std::map<int64_t, std::string> streamed;
  const auto on_text = [&](int64_t index, absl::string_view piece) { streamed[index] += std::string(piece); };
  const auto free = Generate(*model, {Request({9}), Request({7, 4})}, options, &tokenizer, on_text);
  PLUMB_ASSERT_OK(free);
  for (int i : {0, 1}) {
    EXPECT_EQ((*free)[i].text, tokenizer.Decode((*free)[i].token_ids, true));
    EXPECT_EQ((*free)[i].text, streamed[i]);
  }
  const Ids& ids = (*free)[0].token_ids;
  options.add_stop_strings(absl::StrCat(ids[1], "><", ids[2]));  // across two tokens
  const auto stopped = Generate(*model, {Request({9})}, options, &tokenizer);
  PLUMB_ASSERT_OK(stopped);
  EXPECT_EQ((*stopped)[0].token_ids, Ids(ids.begin(), ids.begin() + 3));
  EXPECT_EQ((*stopped)[0].finish_reason, Reason::kStopString);
  EXPECT_EQ(Generate(*model, {Request({9})}, options).status().message(),
            "stop_strings and streamed text need a tokenizer");
}

TEST(TextStreamTest, HoldsBackPartsOfCharacters) {
  ByteTokenizer tokenizer;
  TextStream stream(tokenizer, {1, 2});
  EXPECT_EQ(stream.Push(3), "<3>");
  EXPECT_EQ(stream.Push(90), "");
  EXPECT_EQ(stream.Push(91), "");
  EXPECT_EQ(stream.Push(92), "");
  EXPECT_EQ(stream.Push(93), "\xf0\x9f\x98\x80");
  EXPECT_EQ(stream.Push(90), "");
  EXPECT_EQ(stream.Push(4), "\xef\xbf\xbd<4>");
  EXPECT_EQ(stream.Push(90), "");
  EXPECT_EQ(stream.Finish(), "\xef\xbf\xbd");
  for (int i = 0; i < 30; ++i) EXPECT_EQ(stream.Push(5), "<5>");
}

TEST(GenerationTest, TakesOptionsFromTheModelsFile) {
  ModelConfig config = Load("llama")->config();
  config.generation_config_json =
      R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "eos_token_id": [2, 5], "num_beams": 1})";
  GenerationOptions options;
  options.set_temperature(0.8);
  auto resolved = ResolveGenerationOptions(options, config);
  PLUMB_ASSERT_OK(resolved);
  EXPECT_TRUE(resolved->do_sample());
  EXPECT_EQ(resolved->temperature(), 0.8);  // what was asked for wins
  EXPECT_EQ(resolved->top_p(), 0.9);
  EXPECT_EQ(resolved->eos_token_id_size(), 2);
  config.generation_config_json = R"({"num_beams": 4})";
  EXPECT_EQ(ResolveGenerationOptions(options, config).status().message(),
            "generation_config.json: field 'num_beams': is not supported");
  config.generation_config_json = R"({"temperature": 0})";
  EXPECT_EQ(ResolveGenerationOptions({}, config).status().message(),
            "generation_config.json: field 'temperature': expected a number above 0");
}

TEST(GenerationTest, RefusesWhatCannotBe) {
  auto model = Load("gpt2");
  const auto message = [&](const Ids& prompt) {
    return std::string(Generate(*model, {Request(prompt)}, GenerationOptions()).status().message());
  };
  EXPECT_EQ(message({}), "prompt 0 has no tokens");
  EXPECT_EQ(message({96}),
            "prompt 0 has token 96, but the model has 96: this tokenizer belongs to another model");
  EXPECT_EQ(
      message({1}),
      "prompt 0 has 1 tokens: with max_new_tokens 256 that is more than the model's 64 positions; lower "
      "max_new_tokens or cut the prompt");
}

TEST(GenerationTest, NamesDamagedWeights) {
  auto model = Load("llama");
  model->VisitParameters([](const std::string& name, at::Tensor& tensor) {
    if (name == "model.norm.weight") tensor.fill_(NAN);
  });
  EXPECT_EQ(Generate(*model, {Request({9})}, GenerationOptions()).status().message(),
            "the model's logits for prompt 0 are not finite at new token 0: its weights are damaged or have "
            "diverged");
}

}  // namespace
}  // namespace plumb
