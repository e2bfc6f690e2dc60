#include "common/data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/data/tokenizers/tokenizer_config.h"
#include "common/data/tokenizers/tokenizer_json.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string Golden(const std::string& path) { return Runfile("common/data/testdata/tokenizers/" + path); }

std::string Text(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  PLUMB_EXPECT_OK(text);
  return text.value_or("");
}

std::unique_ptr<Tokenizer> Load(const std::string& folder) {
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  PLUMB_EXPECT_OK(tokenizer);
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

absl::Status Write(const std::string& folder, const std::string& name, const std::string& text) {
  return WriteFileAtomically(folder + "/" + name, text);
}

// llama.cpp's test strings, each with a separator after it, and their ids, a line each.
struct ExpectedIds {
  std::vector<std::string> texts;
  std::vector<std::vector<int64_t>> ids;
};

ExpectedIds ReadExpectedIds(const std::string& name) {
  const std::string stem = SharedData("alignment/llama.cpp-vocab/ggml-vocab-" + name + ".gguf.inp");
  ExpectedIds expected;
  expected.texts = absl::StrSplit(Text(stem), "\n__ggml_vocab_test__\n");
  EXPECT_EQ(expected.texts.back(), "");  // what comes after the last separator
  expected.texts.pop_back();
  std::string lines = Text(stem.substr(0, stem.size() - 4) + ".out");
  EXPECT_TRUE(absl::EndsWith(lines, "\n"));
  lines.pop_back();
  for (absl::string_view line : absl::StrSplit(lines, '\n')) {
    std::vector<int64_t> ids;
    for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
      EXPECT_TRUE(absl::SimpleAtoi(word, &ids.emplace_back()));
    }
    expected.ids.push_back(std::move(ids));
  }
  EXPECT_EQ(expected.texts.size(), 46u);
  EXPECT_EQ(expected.ids.size(), expected.texts.size());
  expected.ids.resize(expected.texts.size());
  return expected;
}

class GoldenTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(GoldenTokenizer, GivesTheIdsAndTextsOfHuggingFace) {
  const std::unique_ptr<Tokenizer> tokenizer = Load(Golden(GetParam()));
  ASSERT_NE(tokenizer, nullptr);
  const json golden = json::parse(Text(Golden(absl::StrCat(GetParam(), "/goldens.json"))));
  EXPECT_EQ(tokenizer->vocab_size(), golden["vocab_size"]);
  const auto expect_id = [](std::optional<int64_t> id, const json& expected) {
    EXPECT_EQ(id.value_or(-1), expected.is_null() ? -1 : expected.get<int64_t>());
  };
  expect_id(tokenizer->bos_token_id(), golden["bos_token_id"]);
  expect_id(tokenizer->eos_token_id(), golden["eos_token_id"]);
  ASSERT_GT(golden["encode"].size(), 100u);
  for (const json& row : golden["encode"]) {
    const std::string text = row["text"];
    const std::vector<int64_t> ids = row["ids"];
    EXPECT_EQ(tokenizer->Encode(text, false), ids) << text;
    EXPECT_EQ(tokenizer->Encode(text, true), row["ids_with_special_tokens"].get<std::vector<int64_t>>())
        << text;
    EXPECT_EQ(tokenizer->Decode(ids, false), row["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer->Decode(ids, true), row["decoded_skip_special"].get<std::string>());
  }
  for (const json& row : golden["decode"]) {
    EXPECT_EQ(tokenizer->Decode(row["ids"].get<std::vector<int64_t>>(), false),
              row["text"].get<std::string>());
  }
}

TEST_P(GoldenTokenizer, SavesItsFilesAsTheyCame) {
  const std::unique_ptr<Tokenizer> tokenizer = Load(Golden(GetParam()));
  ASSERT_NE(tokenizer, nullptr);
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(tokenizer->Save(folder));
  for (const char* name : {"/tokenizer.json", "/tokenizer_config.json"}) {
    EXPECT_EQ(Text(folder + name), Text(Golden(GetParam()) + name));
  }
}

TEST_P(GoldenTokenizer, ThreadsShareIt) {
  const std::unique_ptr<Tokenizer> tokenizer = Load(Golden(GetParam()));
  ASSERT_NE(tokenizer, nullptr);
  const std::string text = Text(Golden(absl::StrCat(GetParam(), "/goldens.json"))).substr(0, 20000);
  const std::vector<int64_t> expected = tokenizer->Encode(text, false);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 5; ++j) EXPECT_EQ(tokenizer->Encode(text, false), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(GoldenTokenizer, DamagedFilesGiveErrorsOrTokenizers) {
  const std::string original = Text(Golden(absl::StrCat(GetParam(), "/tokenizer.json")));
  const std::string config = Text(Golden(absl::StrCat(GetParam(), "/tokenizer_config.json")));
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(Write(folder, "tokenizer_config.json", config));
  const auto check = [&](const std::string&) {
    const auto tokenizer = LoadTokenizer(folder);
    if (!tokenizer.ok()) {
      EXPECT_THAT(tokenizer.status().message(), HasSubstr(folder));
      EXPECT_EQ(std::string(tokenizer.status().message()).find('\n'), std::string::npos);
      return;
    }
    const std::vector<int64_t> ids =
        (*tokenizer)->Encode("It's 1234 <|im_end|> naïve cafe\u0301\n\n  x \xff", true);
    (*tokenizer)->Decode(ids, false);
  };
  // Most of the file is vocabulary: a third of the damage goes to what stands before it.
  const auto damage_json = [&](const std::string& bytes) {
    PLUMB_ASSERT_OK(Write(folder, "tokenizer.json", bytes));
    check(bytes);
  };
  ForEachMutation(original, 40, damage_json);
  ForEachMutation(original, 40, damage_json, 1500);
  PLUMB_ASSERT_OK(Write(folder, "tokenizer.json", original));
  ForEachMutation(config, 40, [&](const std::string& bytes) {
    PLUMB_ASSERT_OK(Write(folder, "tokenizer_config.json", bytes));
    check(bytes);
  });
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenTokenizer, testing::Values("gpt2", "llama3", "qwen2"));

TEST(VocabAndMerges, GivesGpt2sIdsForEveryTestString) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/gpt2-bpe/encoder.json");
  const std::unique_ptr<Tokenizer> tokenizer = Load(SharedData("alignment/gpt2-bpe"));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 50257);
  EXPECT_EQ(tokenizer->eos_token_id(), 50256);
  const ExpectedIds expected = ReadExpectedIds("gpt-2");
  for (size_t i = 0; i < expected.texts.size(); ++i) {
    EXPECT_EQ(tokenizer->Encode(expected.texts[i], true), expected.ids[i]) << expected.texts[i];
    EXPECT_EQ(tokenizer->Decode(expected.ids[i], true), expected.texts[i]);
  }
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(tokenizer->Save(folder));
  EXPECT_EQ(Text(folder + "/vocab.bpe"), Text(SharedData("alignment/gpt2-bpe/vocab.bpe")));
}

TEST(SentencePiece, GivesLlama2sIdsForEveryTestString) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/llama2.c/tokenizer.model");
  const std::unique_ptr<Tokenizer> tokenizer = Load(SharedData("alignment/llama2.c"));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 32000);
  EXPECT_EQ(tokenizer->bos_token_id(), 1);
  EXPECT_EQ(tokenizer->eos_token_id(), 2);
  const ExpectedIds expected = ReadExpectedIds("llama-spm");
  for (size_t i = 0; i < expected.texts.size(); ++i) {
    EXPECT_EQ(tokenizer->Encode(expected.texts[i], false), expected.ids[i]) << expected.texts[i];
    EXPECT_EQ(tokenizer->Decode(expected.ids[i], true), expected.texts[i]);
  }
}

// The same ids from vocab.json and merges.txt as from tokenizer.json.
TEST(VocabAndMerges, SplitsAsTheTokenizerClassSays) {
  for (const char* name : {"gpt2", "qwen2"}) {
    const json whole = json::parse(Text(Golden(absl::StrCat(name, "/tokenizer.json"))));
    std::string merges = "#version: 0.2\n";
    for (const json& merge : whole["model"]["merges"])
      absl::StrAppend(&merges, merge.get<std::string>(), "\n");
    const std::string folder = TemporaryFolder();
    PLUMB_ASSERT_OK(Write(folder, "vocab.json", whole["model"]["vocab"].dump()));
    PLUMB_ASSERT_OK(Write(folder, "merges.txt", merges));
    PLUMB_ASSERT_OK(
        Write(folder, "tokenizer_config.json", Text(Golden(absl::StrCat(name, "/tokenizer_config.json")))));
    const std::unique_ptr<Tokenizer> tokenizer = Load(folder);
    ASSERT_NE(tokenizer, nullptr);
    const json golden = json::parse(Text(Golden(absl::StrCat(name, "/goldens.json"))));
    for (const json& row : golden["encode"]) {
      EXPECT_EQ(tokenizer->Encode(row["text"].get<std::string>(), false),
                row["ids"].get<std::vector<int64_t>>())
          << row["text"];
    }
  }
}

// A tokenizer.json over few letters, changed by a JSON merge patch.
std::string SmallJson(const json& patch = json::object()) {
  json document = json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 6, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
                      "normalized": false, "special": true}],
    "normalizer": null, "post_processor": null, "decoder": {"type": "ByteLevel"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "Ġ": 4, "abc": 5},
              "merges": ["a b", "ab c"]}})");
  document.merge_patch(patch);
  return document.dump();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromJson(const std::string& text, TokenizerConfig config = {}) {
  return TokenizerFromJson(text, "folder/tokenizer.json", std::move(config));
}

std::vector<int64_t> Ids(const std::string& document, const std::string& text, TokenizerConfig config = {}) {
  const auto tokenizer = FromJson(document, std::move(config));
  PLUMB_EXPECT_OK(tokenizer);
  return tokenizer.ok() ? (*tokenizer)->Encode(text, true) : std::vector<int64_t>();
}

TEST(TokenizerJson, JoinsByTheMergesUnlessAWordIsATokenItself) {
  EXPECT_EQ(Ids(SmallJson(), "abcab a"), (std::vector<int64_t>{5, 3, 4, 0}));
  const json whole = {{"model", {{"merges", {"a b"}}, {"ignore_merges", true}}}};
  EXPECT_EQ(Ids(SmallJson(whole), "abc"), (std::vector<int64_t>{5}));
  EXPECT_EQ(Ids(SmallJson({{"model", {{"merges", {"a b"}}}}}), "abc"), (std::vector<int64_t>{3, 2}));
}

TEST(TokenizerJson, TheConfigurationAddsTokens) {
  TokenizerConfig config;
  config.bos_token = "<s>";
  config.eos_token = "<end>";
  AddedToken end;
  end.content = "<end>";
  end.special = true;
  config.special_tokens = {end};
  EXPECT_EQ(Ids(SmallJson(), "ab<end><s>c", config), (std::vector<int64_t>{3, 7, 6, 2}));
  config.add_bos_token = true;
  EXPECT_EQ(Ids(SmallJson(), "ab", config), (std::vector<int64_t>{6, 3}));
  config.add_eos_token = true;
  EXPECT_EQ(Ids(SmallJson(), "ab", config), (std::vector<int64_t>{6, 3, 7}));
}

TEST(TokenizerJson, BytesStandInForCharactersThatAreNotThere) {
  const json characters = {{"pre_tokenizer",
                            {{"type", "Metaspace"},
                             {"replacement", "_"},
                             {"prepend_scheme", "first"},
                             {"add_prefix_space", nullptr},
                             {"use_regex", nullptr},
                             {"split", false}}},
                           {"decoder", nullptr},
                           {"model",
                            {{"byte_fallback", true},
                             {"unk_token", "?"},
                             {"vocab", {{"_", 7}, {"?", 8}, {"<0xC3>", 9}, {"<0xA9>", 10}}}}}};
  EXPECT_EQ(Ids(SmallJson(characters), "ab é"), (std::vector<int64_t>{7, 3, 7, 9, 10}));
  EXPECT_EQ(Ids(SmallJson(characters), "<s>aü"), (std::vector<int64_t>{6, 0, 8}));  // no token for 0xBC
}

TEST(TokenizerJson, RefusesWhatItDoesNotSupportByName) {
  const auto expect_refusal = [](const json& patch, const char* message) {
    const auto tokenizer = FromJson(SmallJson(patch));
    ASSERT_FALSE(tokenizer.ok()) << patch;
    EXPECT_EQ(std::string(tokenizer.status().message()), absl::StrCat("folder/tokenizer.json: ", message));
  };
  expect_refusal({{"model", {{"type", "Unigram"}}}},
                 "model.type: 'Unigram' is not supported (supported: BPE)");
  expect_refusal({{"model", {{"dropout", 0.1}}}},
                 "model.dropout: BPE dropout is not supported; set it to null");
  expect_refusal({{"model", {{"end_of_word_suffix", "</w>"}}}},
                 "model.end_of_word_suffix: only null and \"\" are supported");
  expect_refusal({{"model", {{"vocab", {{"a", -1}}}}}}, "model.vocab.a: a token id must not be negative");
  expect_refusal({{"model", {{"vocab", {{"a", 3}}}}}}, "model.vocab.ab: id 3 is used twice");
  expect_refusal({{"model", {{"merges", {"a b", "a x"}}}}}, "model: merges[1]: 'x' is not in the vocabulary");
  expect_refusal({{"model", {{"merges", {"a b", "abc"}}}}},
                 "model.merges[1]: expected two tokens with a space between them");
  expect_refusal({{"normalizer", {{"type", "Lowercase"}}}},
                 "normalizer.type: 'Lowercase' is not supported (supported: NFC, NFD, NFKC, NFKD, Prepend, "
                 "Replace, Sequence)");
  expect_refusal({{"pre_tokenizer", {{"speed", 3}}}},
                 "pre_tokenizer.speed: this field is not supported (supported here: type, add_prefix_space, "
                 "trim_offsets, use_regex)");
  expect_refusal({{"post_processor", {{"type", "BertProcessing"}}}},
                 "post_processor.type: 'BertProcessing' is not supported (supported: ByteLevel, "
                 "TemplateProcessing, Sequence)");
  expect_refusal({{"decoder", {{"type", "CTC"}, {"add_prefix_space", nullptr}}}},
                 "decoder.type: 'CTC' is not supported (supported: ByteLevel, ByteFallback, Fuse, Metaspace, "
                 "Replace, Strip, Sequence)");
  expect_refusal({{"added_tokens", {{{"id", 2}, {"content", "<s>"}}}}},
                 "added_tokens[0].id: id 2 is that of 'c'");
}

}  // namespace
}  // namespace plumb
