#include "common/nn/generation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/data/tokenizer.h"
#include "common/files/files.h"
#include "common/nn/key_value_cache.h"
#include "common/nn/pretrained.h"
#include "common/nn/rollout_logps.h"
#include "common/nn/text_stream.h"
#include "common/program/interrupt.h"
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

// Requests of many lengths, some of which begin alike, in a batch that they do not fit in.
TEST(GenerationTest, PlacesAreTakenAtOnce) {
  auto model = Load("llama");
  Ids same(70);
  for (size_t i = 0; i < same.size(); ++i) same[i] = 3 + i * 7 % 80;
  std::vector<GenerationRequest> requests;
  for (int k = 0; k < 3; ++k) requests.push_back(Request(same, k));
  for (int k = 0; k < 4; ++k) {
    Ids prompt(same.begin(), same.begin() + 20 + 15 * k);  // less than a block, and more, in common
    prompt.push_back(90);
    requests.push_back(Request(prompt, 10 + k));
  }
  requests.push_back(Request({8}, 20));
  for (int k = 0; k < 3; ++k) requests.push_back(Request(same, 30 + k));
  std::vector<Ids> alone;
  for (const GenerationRequest& request : requests) {
    GenerationOptions options = Sampling(5 + 30);
    options.add_eos_token_id(11);  // some end early
    alone.push_back(Generate(*model, {request}, options)->at(0).token_ids);
  }
  EXPECT_TRUE(std::any_of(alone.begin(), alone.end(), [](const Ids& ids) { return ids.size() < 35; }));
  for (const int64_t places : {1, 2, 5, 64}) {
    for (const int64_t tokens : {1, 7, 50, 2048}) {
      GenerationOptions options = Sampling(35);
      options.add_eos_token_id(11);
      options.set_max_batch_size(places);
      options.set_max_batch_tokens(tokens);
      std::map<int64_t, Ids> ended;
      GenerationCallbacks callbacks;
      callbacks.on_sequence = [&](int64_t index, const GeneratedSequence& sequence) {
        EXPECT_TRUE(ended.emplace(index, sequence.token_ids).second);
      };
      const auto together = Generate(*model, requests, options, nullptr, callbacks);
      PLUMB_ASSERT_OK(together);
      EXPECT_EQ(ended.size(), requests.size());
      for (size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ((*together)[i].token_ids, alone[i]) << i << " of " << places << ", " << tokens;
        EXPECT_EQ(ended[i], alone[i]);
      }
    }
  }
}

// Counts the tokens that a model reads.
class CountingLm : public CausalLm {
 public:
  explicit CountingLm(CausalLm* model) : model_(*model) {}
  const ModelConfig& config() const override { return model_.config(); }
  at::Tensor Hidden(const PackedTokens& tokens, const ForwardOptions& options) override {
    return model_.Hidden(tokens, options);
  }
  at::Tensor HiddenWithCache(const PackedTokens& tokens, KeyValueCache* cache) override {
    passes.push_back(tokens.size());
    const at::Tensor hidden = model_.HiddenWithCache(tokens, cache);
    blocks = std::max(blocks, cache->CountBlocks());
    return hidden;
  }
  const at::Tensor& HeadWeight() const override { return model_.HeadWeight(); }
  void VisitParameters(ParameterVisitor visitor) override { model_.VisitParameters(visitor); }
  void VisitLinears(LinearVisitor visitor) override { model_.VisitLinears(visitor); }

  Ids passes;          // tokens of each
  int64_t blocks = 0;  // the most that the cache had

 private:
  CausalLm& model_;
};

TEST(GenerationTest, SamplesShareTheirPrompt) {
  auto model = Load("llama");
  CountingLm counting(model.get());
  const Ids prompt(70, 5);
  const std::vector<GenerationRequest> requests(4, Request(prompt));
  GenerationOptions options;
  options.set_max_new_tokens(3);
  PLUMB_ASSERT_OK(Generate(counting, requests, options));
  EXPECT_EQ(counting.passes, (Ids{70, 1 + 3, 1 + 3, 3}));
  EXPECT_EQ(counting.blocks, 2 + 4);  // two whole ones for all, the third for each
  counting.passes.clear();
  counting.blocks = 0;
  options.set_max_batch_size(1);
  PLUMB_ASSERT_OK(Generate(counting, requests, options));
  EXPECT_EQ(counting.passes, (Ids{70, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(counting.blocks, 3);
}

// What an online trainer does: samples of a prompt, then their log-probabilities with a gradient.
TEST(GenerationTest, TrainerLogpsAreTheTrainersOwn) {
  ModelConfig config = Load("llama")->config();
  ASSERT_LT(config.num_key_value_heads, config.num_attention_heads);
  config.vocab_size = 3000;  // several tiles of the head
  config.max_position_embeddings = 512;
  auto model = MakeCausalLm(config, at::kFloat);
  const RandomStream weights(1, "weights");
  model->VisitParameters([&](const std::string& name, at::Tensor& tensor) {
    tensor = weights.Child(name).NormalTensor(tensor.sizes(), at::kFloat).mul_(0.3).requires_grad_(true);
  });
  Ids long_prompt(130);
  for (size_t i = 0; i < long_prompt.size(); ++i) long_prompt[i] = i * i % 3000;
  const std::vector<Ids> prompts = {{5, 6, 7}, long_prompt, {8}};
  const std::vector<int64_t> samples = {4, 3, 1};
  for (const bool sampled : {false, true}) {
    GenerationOptions options = Sampling(40);
    options.set_do_sample(sampled);
    options.add_eos_token_id(11);
    std::vector<GenerationRequest> requests;
    for (size_t p = 0; p < prompts.size(); ++p) {
      for (int64_t k = 0; k < samples[p]; ++k) requests.push_back(Request(prompts[p], requests.size()));
    }
    const auto cheap = Generate(*model, requests, options);
    options.set_logps(GenerationOptions::TRAINER);
    const auto results = Generate(*model, requests, options);
    PLUMB_ASSERT_OK(results);
    size_t next = 0;
    for (size_t p = 0; p < prompts.size(); ++p) {
      std::vector<Ids> completions;
      std::vector<float> old_logps;
      for (int64_t k = 0; k < samples[p]; ++k, ++next) {
        completions.push_back((*results)[next].token_ids);
        EXPECT_EQ(completions.back(), (*cheap)[next].token_ids);
        for (size_t i = 0; i < completions.back().size(); ++i) {
          old_logps.push_back((*results)[next].logps[i]);
          EXPECT_NEAR(old_logps.back(), (*cheap)[next].logps[i], 1e-5 * std::abs(old_logps.back()) + 1e-5);
        }
      }
      const at::Tensor logps = RolloutLogps(*model, PackRollouts(prompts[p], completions));
      ASSERT_TRUE(logps.requires_grad());
      for (size_t i = 0; i < old_logps.size(); ++i) {
        EXPECT_EQ(std::exp(logps[i].item<float>() - old_logps[i]), 1.0f) << i << " of prompt " << p;
      }
    }
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
  GenerationCallbacks callbacks;
  callbacks.on_text = [&](int64_t index, absl::string_view piece) { streamed[index] += std::string(piece); };
  const auto free = Generate(*model, {Request({9}), Request({7, 4})}, options, &tokenizer, callbacks);
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

TEST(GenerationTest, AnInterruptStopsAtTheNextToken) {
  auto model = Load("llama");
  GenerationOptions options;
  options.set_max_batch_size(1);
  options.set_max_new_tokens(5);
  ByteTokenizer tokenizer;
  int tokens = 0;
  GenerationCallbacks callbacks;
  callbacks.on_text = [&](int64_t, absl::string_view) { SetInterruptRequested(++tokens == 7); };
  const absl::Status status =
      Generate(*model, {Request({9}), Request({9})}, options, &tokenizer, callbacks).status();
  SetInterruptRequested(false);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(status.message(), "generation stopped after 1 of 2 sequences");
  EXPECT_EQ(tokens, 7);
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
