#include "common/data/example_tokens.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/data/chat_template.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using nlohmann::json;
using Ids = std::vector<int64_t>;

// A token a character, but "ab" is one (id 1000); id 0 begins what gets special tokens, "$" ends a sequence.
class CharacterTokenizer : public Tokenizer {
 public:
  explicit CharacterTokenizer(bool has_bos = true) : has_bos_(has_bos) {}

  std::vector<int64_t> Encode(absl::string_view text, bool add_special_tokens) const override {
    std::vector<int64_t> ids;
    if (add_special_tokens && has_bos_) ids.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text.substr(i, 2) == "ab") {
        ids.push_back(1000);
        ++i;
      } else {
        ids.push_back(text[i]);
      }
    }
    return ids;
  }
  std::string Decode(absl::Span<const int64_t> ids, bool) const override {
    std::string text;
    for (const int64_t id : ids) {
      if (id == 1000) text += "ab";
      if (id > 0 && id < 128) text += static_cast<char>(id);
    }
    return text;
  }
  int64_t vocab_size() const override { return 1001; }
  std::optional<int64_t> TokenToId(absl::string_view token) const override { return token[0]; }
  std::optional<int64_t> bos_token_id() const override {
    return has_bos_ ? std::optional<int64_t>(0) : std::nullopt;
  }
  std::optional<int64_t> eos_token_id() const override { return '$'; }
  const std::string& chat_template() const override { return template_; }
  absl::Status Save(const std::string&) const override { return absl::OkStatus(); }

 private:
  bool has_bos_;
  std::string template_;
};

absl::StatusOr<std::string> RenderChat(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                                       const std::string& tools) {
  std::string text = tools;
  for (const ChatMessage& message : messages)
    absl::StrAppend(&text, message.role.substr(0, 1), ":", message.content, ";");
  if (add_generation_prompt) text += "a:";
  return text;
}

std::string Letters(const std::vector<int64_t>& ids) { return CharacterTokenizer().Decode(ids, false); }

DataConfig Config(int64_t max_length, DataConfig::TruncationMode mode = DataConfig::KEEP_START) {
  DataConfig config;
  config.set_max_length(max_length);
  config.set_truncation_mode(mode);
  return config;
}

PreferenceExample Pair(Content prompt, Content chosen, Content rejected) {
  PreferenceExample example;
  example.prompt = std::move(prompt);
  example.chosen = std::move(chosen);
  example.rejected = std::move(rejected);
  example.where = "pairs.jsonl:3";
  return example;
}

struct Outcome {
  std::vector<TokenizedPreference> pairs;
  TokenizationCounts counts;
};

Outcome Tokenize(const PreferenceExample& example, const DataConfig& config) {
  const CharacterTokenizer tokenizer;
  Outcome outcome;
  auto pairs = ExampleTokenizer(tokenizer, RenderChat, config).Preferences({example}, &outcome.counts);
  PLUMB_EXPECT_OK(pairs);
  outcome.pairs = *std::move(pairs);
  return outcome;
}

TEST(ExampleTokens, PlainTextEndsInTheEndToken) {
  const Outcome outcome = Tokenize(Pair("q?", "yes", "no$"), Config(64));
  ASSERT_EQ(outcome.pairs.size(), 1);
  EXPECT_EQ(outcome.pairs[0].prompt_ids, (std::vector<int64_t>{0, 'q', '?'}));
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "yes$");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "no$");
  EXPECT_EQ(outcome.counts.unaligned, 0);
}

TEST(ExampleTokens, ATokenAcrossTheBoundaryBelongsToBothAnswers) {
  const Outcome outcome = Tokenize(Pair("qa", "bc", "d"), Config(64));
  EXPECT_EQ(Letters(outcome.pairs[0].prompt_ids), "q");
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "abc$");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "ad$");
  EXPECT_EQ(outcome.counts.unaligned, 1);
}

TEST(ExampleTokens, ConversationsGetWhatTheTemplateWrites) {
  using Messages = std::vector<ChatMessage>;
  const Outcome outcome =
      Tokenize(Pair(Messages{{"user", "hi", "", ""}}, Messages{{"assistant", "yes", "", ""}},
                    Messages{{"assistant", "no", "", ""}}),
               Config(64));
  EXPECT_EQ(Letters(outcome.pairs[0].prompt_ids), "u:hi;a:");
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "yes;");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "no;");
}

TEST(ExampleTokens, KeepStartCutsTheEnd) {
  const Outcome outcome = Tokenize(Pair("12345", "vwxyz", "v"), Config(9));
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "vwx");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "v$");
  EXPECT_EQ(outcome.counts.truncated, 1);
}

TEST(ExampleTokens, APromptThatFillsEverythingIsDropped) {
  EXPECT_EQ(Tokenize(Pair("12345", "x", "y"), Config(6)).counts.dropped, 1);
  EXPECT_EQ(Tokenize(Pair("12345", "x", "y"), Config(7)).counts.dropped, 0);
}

TEST(ExampleTokens, KeepEndCutsThePromptAlikeForBoth) {
  const Outcome outcome = Tokenize(Pair("12345", "vwxyz", "v"), Config(9, DataConfig::KEEP_END));
  EXPECT_EQ(Letters(outcome.pairs[0].prompt_ids), "345");
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "vwxyz$");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "v$");
  const Outcome short_one = Tokenize(Pair("12345", "vwxyz", "v"), Config(4, DataConfig::KEEP_END));
  EXPECT_TRUE(short_one.pairs[0].prompt_ids.empty());
  EXPECT_EQ(Letters(short_one.pairs[0].chosen_ids), "xyz$");
}

TEST(ExampleTokens, TextsLearnTheCompletionUnlessToldOtherwise) {
  const CharacterTokenizer tokenizer;
  TextExample with_prompt{"qa", "bc", "", "x.jsonl:1"}, without{"", "plain", "", "x.jsonl:2"};
  TokenizationCounts counts;
  DataConfig config = Config(64);
  auto texts = ExampleTokenizer(tokenizer, RenderChat, config).Texts({with_prompt, without}, &counts).value();
  EXPECT_EQ(Letters(texts[0].prompt_ids), "q");
  EXPECT_EQ(Letters(texts[0].completion_ids), "abc$");
  EXPECT_EQ(texts[1].completion_ids[0], 0);
  EXPECT_EQ(Letters(texts[1].completion_ids), "plain$");
  config.set_completion_only_loss(false);
  texts = ExampleTokenizer(tokenizer, RenderChat, config).Texts({with_prompt}, &counts).value();
  EXPECT_TRUE(texts[0].prompt_ids.empty());
  EXPECT_EQ(Letters(texts[0].completion_ids), "qabc$");
}

// The first token of all follows nothing: it is not predicted.
TEST(ExampleTokens, AnAnswerWithoutAPredictedTokenIsDropped) {
  const CharacterTokenizer without_bos(false);
  const ExampleTokenizer tokenizer(without_bos, RenderChat, Config(64));
  TokenizationCounts counts;
  const auto pairs =
      tokenizer.Preferences({Pair("", "", "no"), Pair("", "no", ""), Pair("", "a", "b")}, &counts);
  ASSERT_EQ(pairs.value().size(), 1);
  EXPECT_EQ(Letters((*pairs)[0].chosen_ids), "a$");
  EXPECT_EQ(counts.dropped, 2);
  EXPECT_EQ(
      tokenizer.Texts({{"", "", "", "1"}, {"", "a", "", "2"}, {"q", "", "", "3"}}, &counts).value().size(),
      2);
  EXPECT_EQ(counts.dropped, 3);
  EXPECT_EQ(tokenizer.Unpaired({{"", "", true, "", "1"}, {"", "a", true, "", "2"}}, &counts).value().size(),
            1);
  EXPECT_EQ(counts.dropped, 4);
}

std::string Flags(const std::vector<bool>& mask) {
  std::string flags;
  for (const bool counts : mask) flags += counts ? '1' : '0';
  return flags;
}

TEST(ExampleTokens, SentencesMarkTheTokensThatBeginInThem) {
  PreferenceExample example = Pair("q?", "No. Yes! Ok", "cab. x");
  example.chosen_sentences = {{"No.", true}, {" Yes!", false}, {"Ok", true}};
  example.rejected_sentences = {{"ca", false}, {"b.", true}};  // "ab" is one token
  Outcome outcome = Tokenize(example, Config(64));
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "No. Yes! Ok$");
  EXPECT_EQ(Flags(outcome.pairs[0].chosen_mask), "111000001111");
  EXPECT_EQ(Letters(outcome.pairs[0].rejected_ids), "cab. x$");
  EXPECT_EQ(Flags(outcome.pairs[0].rejected_mask), "001111");
  EXPECT_EQ(Flags(Tokenize(Pair("q?", "a", "b"), Config(64)).pairs[0].chosen_mask), "");

  outcome = Tokenize(example, Config(8));
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "No. Y");
  EXPECT_EQ(Flags(outcome.pairs[0].chosen_mask), "11100");
  outcome = Tokenize(example, Config(8, DataConfig::KEEP_END));
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "Yes! Ok$");
  EXPECT_EQ(Flags(outcome.pairs[0].chosen_mask), "00001111");
}

TEST(ExampleTokens, SentencesStandInTheirOrderInTheAnswer) {
  const CharacterTokenizer tokenizer;
  TokenizationCounts counts;
  PreferenceExample example = Pair("q?", "No. Yes!", "x");
  example.chosen_sentences = {{"Yes!", true}, {"No.", true}};
  EXPECT_EQ(
      ExampleTokenizer(tokenizer, RenderChat, Config(64)).Preferences({example}, &counts).status().message(),
      "pairs.jsonl:3: column 'chosen_sentences', 1: not found in the answer after 0");
}

TEST(ExampleTokens, AGoldAnswerIsAThirdOne) {
  PreferenceExample example = Pair("qa", "x", "y");
  EXPECT_TRUE(Tokenize(example, Config(64)).pairs[0].gold_ids.empty());
  example.reference_answer = "bcdef";  // "ab" is one token
  const Outcome outcome = Tokenize(example, Config(5));
  EXPECT_EQ(Letters(outcome.pairs[0].prompt_ids), "q");
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "ax$");
  EXPECT_EQ(Letters(outcome.pairs[0].gold_ids), "abcd");
  EXPECT_EQ(outcome.counts.truncated, 1);

  using Messages = std::vector<ChatMessage>;
  example = Pair(Messages{{"user", "hi", "", ""}}, Messages{{"assistant", "yes", "", ""}},
                 Messages{{"assistant", "no", "", ""}});
  example.reference_answer = "sure";
  EXPECT_EQ(Letters(Tokenize(example, Config(64)).pairs[0].gold_ids), "sure;");
}

TEST(ExampleTokens, CountsAreOfWhatIsKept) {
  // "a" of the prompt goes with "b", and the prompt alone fills the length.
  const Outcome outcome = Tokenize(Pair("12345a", "bc", "bd"), Config(6));
  EXPECT_EQ(outcome.counts.dropped, 1);
  EXPECT_EQ(outcome.counts.truncated, 0);
  EXPECT_EQ(outcome.counts.unaligned, 0);
}

TEST(ExampleTokens, APromptThatFillsEverythingIsLearntWithTheRest) {
  const CharacterTokenizer tokenizer;
  DataConfig config = Config(4);
  config.set_completion_only_loss(false);
  TokenizationCounts counts;
  const std::vector<TextExample> examples = {{"12345", "x", "", "x.jsonl:1"}};
  EXPECT_EQ(Letters(ExampleTokenizer(tokenizer, RenderChat, config)
                        .Texts(examples, &counts)
                        .value()
                        .at(0)
                        .completion_ids),
            "123");
  config.set_truncation_mode(DataConfig::KEEP_END);
  EXPECT_EQ(Letters(ExampleTokenizer(tokenizer, RenderChat, config)
                        .Texts(examples, &counts)
                        .value()
                        .at(0)
                        .completion_ids),
            "45x$");
}

TEST(ExampleTokens, MixedContentIsRefusedWhereItStands) {
  const CharacterTokenizer tokenizer;
  TokenizationCounts counts;
  const auto result =
      ExampleTokenizer(tokenizer, RenderChat, Config(64))
          .Preferences({Pair("text", std::vector<ChatMessage>{{"assistant", "x", "", ""}}, "y")}, &counts);
  EXPECT_EQ(result.status().message(),
            "pairs.jsonl:3: the prompt is text, but its answer is a list of messages");
}

TEST(ExampleTokens, ToolsReachTheTemplate) {
  PreferenceExample example = Pair(std::vector<ChatMessage>{{"user", "hi", "", ""}},
                                   std::vector<ChatMessage>{{"assistant", "yes", "", ""}},
                                   std::vector<ChatMessage>{{"assistant", "no", "", ""}});
  example.tools = "[1]";
  const Outcome outcome = Tokenize(example, Config(64));
  EXPECT_EQ(Letters(outcome.pairs[0].prompt_ids), "[1]u:hi;a:");
  EXPECT_EQ(Letters(outcome.pairs[0].chosen_ids), "yes;");
  const CharacterTokenizer tokenizer;
  const ExampleTokenizer example_tokenizer(tokenizer, RenderChat, Config(64));
  EXPECT_EQ(Letters(example_tokenizer.Prompt(example.prompt, "[2]").value()), "[2]u:hi;a:");
  TokenizationCounts counts;
  const auto texts =
      example_tokenizer.Texts({{example.prompt, example.chosen, "[3]", "x.jsonl:1"}}, &counts).value();
  EXPECT_EQ(Letters(texts[0].prompt_ids), "[3]u:hi;a:");
  const auto unpaired =
      example_tokenizer.Unpaired({{example.prompt, example.chosen, true, "[4]", "x.jsonl:1"}}, &counts)
          .value();
  EXPECT_EQ(Letters(unpaired[0].text.prompt_ids), "[4]u:hi;a:");

  PreferenceExample plain = Pair("q", "a", "b");
  plain.tools = "[1]";
  EXPECT_EQ(example_tokenizer.Preferences({plain}, &counts).status().message(),
            "pairs.jsonl:3: tools, but no conversation that a template puts them in");
}

TEST(ExampleTokens, ManyExamplesKeepTheirOrder) {
  const CharacterTokenizer tokenizer;
  std::vector<PreferenceExample> examples;
  for (int i = 0; i < 1000; ++i) examples.push_back(Pair(absl::StrCat(i, "?"), "y", "n"));
  TokenizationCounts counts;
  const auto pairs =
      ExampleTokenizer(tokenizer, RenderChat, Config(64)).Preferences(examples, &counts).value();
  ASSERT_EQ(pairs.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(Letters(pairs[i].prompt_ids), absl::StrCat(i, "?"));
}

// What TRL's DPOTrainer makes of the same rows.
class TrlPreferences : public testing::TestWithParam<const char*> {};

Content FromJson(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  std::vector<ChatMessage> messages;
  for (const json& message : value) messages.push_back({message["role"], message["content"], "", ""});
  return messages;
}

Ids Joined(Ids begin, const Ids& end) {
  begin.insert(begin.end(), end.begin(), end.end());
  return begin;
}

// The tokens of a truncated sequence that its mask says are the answer's.
Ids Answer(const json& expected, const std::string& which) {
  Ids ids;
  for (size_t i = 0; i < expected[which + "_input_ids"].size(); ++i) {
    if (expected[which + "_completion_mask"][i] == 1) ids.push_back(expected[which + "_input_ids"][i]);
  }
  return ids;
}

void ExpectKept(const TokenizedPreference& pair, const json& expected, bool keep_end) {
  const Ids chosen = Joined(pair.prompt_ids, pair.chosen_ids);
  const Ids rejected = Joined(pair.prompt_ids, pair.rejected_ids);
  EXPECT_EQ(pair.chosen_ids, Answer(expected, "chosen"));
  EXPECT_EQ(pair.rejected_ids, Answer(expected, "rejected"));
  Ids expected_chosen = expected["chosen_input_ids"], expected_rejected = expected["rejected_input_ids"];
  if (keep_end) {
    // TRL lets the shorter answer follow more of the prompt than the longer one; ours follow the same prompt,
    // so the shorter one's sequence is the end of TRL's.
    Ids& shorter = pair.chosen_ids.size() < pair.rejected_ids.size() ? expected_chosen : expected_rejected;
    const size_t length = &shorter == &expected_chosen ? chosen.size() : rejected.size();
    ASSERT_GE(shorter.size(), length);
    shorter.erase(shorter.begin(), shorter.end() - length);
  }
  EXPECT_EQ(chosen, expected_chosen);
  EXPECT_EQ(rejected, expected_rejected);
}

TEST_P(TrlPreferences, SameTokens) {
  const std::string folder = Runfile("common/data/testdata");
  const json golden =
      json::parse(ReadFile(absl::StrCat(folder, "/preference/", GetParam(), ".json")).value());
  const auto tokenizer =
      LoadTokenizer(absl::StrCat(folder, "/tokenizers/", golden["tokenizer"].get<std::string>()));
  PLUMB_ASSERT_OK(tokenizer);
  ChatRenderer renderer;
  if (!golden["chat_template"].is_null()) {
    const auto made = MakeChatRenderer(golden["chat_template"], **tokenizer);
    PLUMB_ASSERT_OK(made);
    renderer = *made;
  }
  const bool keep_end = golden["truncation_mode"] == "keep_end";
  const ExampleTokenizer whole(**tokenizer, renderer, Config(1 << 20));
  const ExampleTokenizer cut(
      **tokenizer, renderer,
      Config(golden["max_length"], keep_end ? DataConfig::KEEP_END : DataConfig::KEEP_START));
  int truncated = 0;
  for (const json& row : golden["rows"]) {
    SCOPED_TRACE(row["row"].dump());
    const json& expected = row["expected"];
    // A row without a prompt has it taken out of its answers when it is read.
    const json& texts = row["row"].contains("prompt") ? row["row"] : expected;
    const PreferenceExample example =
        Pair(FromJson(texts["prompt"]), FromJson(texts["chosen"]), FromJson(texts["rejected"]));

    TokenizationCounts counts;
    const auto pairs = whole.Preferences({example}, &counts);
    PLUMB_ASSERT_OK(pairs);
    ASSERT_EQ(pairs->size(), 1u);
    EXPECT_EQ((*pairs)[0].prompt_ids, expected["prompt_ids"].get<Ids>());
    EXPECT_EQ((*pairs)[0].chosen_ids, expected["chosen_ids"].get<Ids>());
    EXPECT_EQ((*pairs)[0].rejected_ids, expected["rejected_ids"].get<Ids>());

    const auto kept = cut.Preferences({example}, &counts);
    PLUMB_ASSERT_OK(kept);
    EXPECT_EQ(counts.dropped, expected["dropped"].get<bool>() ? 1 : 0);
    ASSERT_EQ(kept->empty(), expected["dropped"].get<bool>());
    if (!kept->empty()) ExpectKept((*kept)[0], expected, keep_end);
    truncated += counts.truncated;
  }
  // Only the rows of implicit_plain all fit.
  EXPECT_EQ(truncated > 0, absl::string_view(GetParam()) != "implicit_plain");
}

INSTANTIATE_TEST_SUITE_P(Goldens, TrlPreferences,
                         testing::Values("chat_chatml", "chat_keep_end", "chat_llama3", "chat_qwen2_5",
                                         "chat_zephyr", "implicit_chat", "implicit_plain", "plain_keep_end",
                                         "plain_llama3", "plain_qwen2"));

}  // namespace
}  // namespace plumb
