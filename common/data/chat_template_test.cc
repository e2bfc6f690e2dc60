#include "common/data/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

// A tokenizer as far as a template sees it.
class TemplateTokenizer : public Tokenizer {
 public:
  TemplateTokenizer(std::string chat_template, std::string bos_token, std::string eos_token)
      : chat_template_(std::move(chat_template)), tokens_{std::move(bos_token), std::move(eos_token)} {}

  std::vector<int64_t> Encode(absl::string_view, bool) const override { return {}; }
  std::string Decode(absl::Span<const int64_t> ids, bool) const override { return tokens_[ids[0]]; }
  int64_t vocab_size() const override { return 2; }
  std::optional<int64_t> TokenToId(absl::string_view) const override { return std::nullopt; }
  std::optional<int64_t> bos_token_id() const override { return IdOf(0); }
  std::optional<int64_t> eos_token_id() const override { return IdOf(1); }
  const std::string& chat_template() const override { return chat_template_; }
  absl::Status Save(const std::string&) const override { return absl::OkStatus(); }

 private:
  std::optional<int64_t> IdOf(int64_t id) const {
    return tokens_[id].empty() ? std::nullopt : std::optional<int64_t>(id);
  }

  std::string chat_template_;
  std::string tokens_[2];
};

ordered_json Golden(const std::string& path) {
  return ordered_json::parse(
      ReadFile(Runfile(absl::StrCat("common/data/testdata/chat_templates/", path))).value());
}

TemplateTokenizer GoldenTokenizer(const std::string& name) {
  const ordered_json config = Golden(name + "/tokenizer_config.json");
  const auto token = [&](const char* field) {
    return config[field].is_null() ? std::string() : config[field].get<std::string>();
  };
  return TemplateTokenizer(config["chat_template"], token("bos_token"), token("eos_token"));
}

std::vector<ChatMessage> Messages(const ordered_json& list) {
  std::vector<ChatMessage> messages;
  for (const ordered_json& message : list) {
    messages.push_back({message["role"], message["content"], message.value("name", ""),
                        message.contains("tool_calls") ? message["tool_calls"].dump() : ""});
  }
  return messages;
}

const std::vector<ChatMessage> kHello = {{"user", "Hello", "", ""}};

// What `renderer` makes of a short conversation.
std::string Hello(const absl::StatusOr<ChatRenderer>& renderer) {
  PLUMB_EXPECT_OK(renderer);
  if (!renderer.ok() || *renderer == nullptr) return "no renderer";
  return (*renderer)(kHello, true, "").value_or("refused");
}

absl::Status Refusal(const absl::StatusOr<ChatRenderer>& renderer) {
  PLUMB_EXPECT_OK(renderer);
  if (!renderer.ok() || *renderer == nullptr) return absl::OkStatus();
  return (*renderer)(kHello, true, "").status();
}

class GoldenTemplate : public testing::TestWithParam<const char*> {
 protected:
  static void ExpectGoldens(const ChatRenderer& render) {
    const ordered_json golden = Golden(absl::StrCat(GetParam(), "/golden.json"));
    ASSERT_GE(golden["cases"].size(), 36u);
    for (const ordered_json& row : golden["cases"]) {
      const absl::StatusOr<std::string> text =
          render(Messages(row["messages"]), row["add_generation_prompt"].get<bool>(),
                 row.contains("tools") ? row["tools"].dump() : "");
      if (row.contains("error")) {
        EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << row;
      } else {
        PLUMB_EXPECT_OK(text) << row;
        EXPECT_EQ(text.value_or("refused"), row["text"].get<std::string>()) << row;
      }
    }
  }
};

TEST_P(GoldenTemplate, IsRecognisedAndGivesTheTextsOfTransformers) {
  const absl::StatusOr<ChatRenderer> renderer = MakeChatRenderer("auto", GoldenTokenizer(GetParam()));
  PLUMB_ASSERT_OK(renderer);
  ExpectGoldens(*renderer);
}

TEST_P(GoldenTemplate, GivesThemByNameWithoutTheTokenizersTemplate) {
  const TemplateTokenizer tokenizer = GoldenTokenizer(GetParam());
  const auto token = [&](std::optional<int64_t> id) { return id ? tokenizer.Decode({*id}, false) : ""; };
  const absl::StatusOr<ChatRenderer> renderer = MakeChatRenderer(
      GetParam(), TemplateTokenizer("", token(tokenizer.bos_token_id()), token(tokenizer.eos_token_id())));
  PLUMB_ASSERT_OK(renderer);
  ExpectGoldens(*renderer);
}

TEST_P(GoldenTemplate, DamageIsRefusedOrHarmless) {
  const std::string whole = GoldenTokenizer(GetParam()).chat_template();
  const auto renderer = [](const std::string& chat_template) {
    return MakeChatRenderer("auto", TemplateTokenizer(chat_template, "<s>", "</s>"));
  };
  const std::string expected = Hello(renderer(whole));
  ForEachMutation(whole, 300, [&](const std::string& bytes) {
    const auto damaged = renderer(bytes);
    std::string text = Hello(damaged);
    if (text == "refused") {
      EXPECT_EQ(Refusal(damaged).code(), absl::StatusCode::kUnimplemented);
    } else if (text != "no renderer") {
      if (absl::StartsWith(GetParam(), "qwen")) {  // any default system message will do
        text.replace(0, text.find("<|im_end|>"), expected, 0, expected.find("<|im_end|>"));
      }
      EXPECT_EQ(text, expected) << bytes;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Names, GoldenTemplate,
                         testing::Values("chatml", "gemma", "llama2", "llama3", "mistral_v0_1",
                                         "mistral_v0_2", "mistral_v0_3", "qwen2", "qwen2_5", "zephyr"));

TEST(ChatTemplate, WhatIsNotKnownIsRefusedWithTheNamesThatAre) {
  // Only when a conversation comes: plain text needs no template.
  EXPECT_EQ(Refusal(MakeChatRenderer("auto", GoldenTokenizer("unknown"))).message(),
            "the tokenizer's chat template is none of those that are known; to go on, name the one that the "
            "model shall have in chat_template: none (plain text), chatml, gemma, llama2, llama3, mistral, "
            "mistral_v0_1, "
            "mistral_v0_2, mistral_v0_3, qwen, qwen2, qwen2_5, zephyr");
  EXPECT_THAT(
      MakeChatRenderer("lama3", GoldenTokenizer("chatml")).status().message(),
      HasSubstr("chat_template: 'lama3' is not known; expected auto, none (plain text), chatml, gemma"));
  EXPECT_EQ(Hello(MakeChatRenderer("chatml", GoldenTokenizer("unknown"))),
            "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, NoTemplateIsNoRenderer) {
  EXPECT_EQ(MakeChatRenderer("auto", TemplateTokenizer("", "<s>", "</s>")).value(), nullptr);
  for (const char* name : {"chatml", "unknown"}) {
    EXPECT_EQ(MakeChatRenderer("none", GoldenTokenizer(name)).value(), nullptr);
  }
}

TEST(ChatTemplate, OtherNames) {
  const TemplateTokenizer tokenizer("", "<s>", "</s>");
  EXPECT_EQ(Hello(MakeChatRenderer("mistral", tokenizer)), "<s>[INST] Hello[/INST]");
  EXPECT_EQ(Hello(MakeChatRenderer("qwen", tokenizer)), Hello(MakeChatRenderer("qwen2_5", tokenizer)));
}

TEST(ChatTemplate, EditsThatChangeNothingAreSeenThrough) {
  const auto render = [](const std::string& chat_template) {
    return Hello(MakeChatRenderer("auto", TemplateTokenizer(chat_template, "<s>", "</s>")));
  };
  const std::string chatml = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
  // Other quotes, subscripts as attributes, one string instead of two, a preface, comments.
  EXPECT_EQ(
      render("{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
             "{# turns #}{% for message in messages %}"
             "{{\"<|im_start|>\" ~ message.role + '\\n' + message[\"content\"] + '<|im_end|>\\n'}}"
             "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"),
      chatml);
  // Over lines, with an indent, and with the marks that say what the assistant wrote.
  EXPECT_EQ(render("{%- for message in messages %}\n"
                   "    {{- '<|im_start|>' + message['role'] }}\n"
                   "    {% generation %}\n"
                   "    {{- message['content'] + '<|im_end|>' }}\n"
                   "    {%- endgeneration +%}\n"
                   "{% endfor %}\n"
                   "{%- if add_generation_prompt %}\n"
                   "    {{- '<|im_start|>assistant\\n' }}\n"
                   "{%- endif %}\n"),
            chatml);
  // Another default system message, in both of Qwen's templates (SmolLM2 and Qwen2.5's base models do so).
  for (const char* name : {"qwen2", "qwen2_5"}) {
    const TemplateTokenizer tokenizer = GoldenTokenizer(name);
    const std::string system = absl::StrCat(name[5] == 0 ? "" : "You are Qwen, created by Alibaba Cloud. ",
                                            "You are a helpful assistant.");
    EXPECT_EQ(render(absl::StrReplaceAll(tokenizer.chat_template(), {{system, "Be brief."}})),
              "<|im_start|>system\nBe brief.<|im_end|>\n" + chatml);
  }
}

TEST(ChatTemplate, EditsThatChangeTheTextAreNot) {
  const auto expect_refused = [](const char* name, const std::string& from, const std::string& to) {
    const std::string original = GoldenTokenizer(name).chat_template();
    const size_t at = original.find(from);
    ASSERT_NE(at, std::string::npos) << name << ": " << from;
    const std::string edited = original.substr(0, at) + to + original.substr(at + from.size());
    EXPECT_EQ(Refusal(MakeChatRenderer("auto", TemplateTokenizer(edited, "<s>", "</s>"))).code(),
              absl::StatusCode::kUnimplemented)
        << edited;
  };
  expect_refused("chatml", "'<|im_end|>' + '\n'", "'<|im_end|>'");
  expect_refused("chatml", "'<|im_end|>'", "'<|im_end|> '");
  expect_refused("chatml", "{% if add_generation_prompt %}", "{% if true %}");
  expect_refused("chatml", "{% for", "{{ bos_token }}{% for");
  expect_refused("chatml", "assistant\n", "assistant\n<think>\n");
  expect_refused("chatml", "message['content']", "message['content'] | trim");
  expect_refused("llama3", " | trim", "");
  expect_refused("llama3", "<|eot_id|>", "<|end_of_text|>");
  expect_refused("llama3", "assistant<|end_header_id|>",
                 "assistant<|end_header_id|>\n\nCutting Knowledge Date");
  expect_refused("llama2", "' [/INST]'", "'[/INST]'");
  expect_refused("mistral_v0_1", "eos_token + ' '", "eos_token + '  '");
  expect_refused("mistral_v0_3", "loop.last", "loop.first");
  expect_refused("gemma", "'model'", "'assistant'");
  expect_refused("zephyr", "<|assistant|>", "<|bot|>");
  expect_refused("zephyr", "+ eos_token }}\n", "+ eos_token -}}\n");
  // The default system message stands twice in the template; one of them alone is not a default.
  expect_refused("qwen2_5", "You are Qwen, created by Alibaba Cloud.", "");
  expect_refused("qwen2_5", "assistant.'", "assistant.' + messages[0]['role']");
  expect_refused("qwen2_5", "tool | tojson", "tool | tojson(indent=4)");
}

TEST(ChatTemplate, ToolsAreRefusedWhereTheyWouldBeDropped) {
  const std::string tools = R"([{"type": "function", "function": {"name": "f"}}])";
  const std::string call = R"([{"name": "f", "arguments": {"x": [1, 2.5, null, "a,b:\"c"]}}])";
  const TemplateTokenizer tokenizer("", "<s>", "</s>");
  for (const std::string& name : ChatTemplateNames()) {
    const ChatRenderer render = MakeChatRenderer(name, tokenizer).value();
    const bool has_tools = name == "qwen" || name == "qwen2_5";
    EXPECT_EQ(render(kHello, true, tools).ok(), has_tools) << name;
    EXPECT_EQ(render({kHello[0], {"assistant", "", "", call}}, false, "").ok(), has_tools) << name;
    PLUMB_EXPECT_OK(render(kHello, true, "[]"));
    PLUMB_EXPECT_OK(render(kHello, true, "null"));
  }
  EXPECT_EQ(MakeChatRenderer("llama3", tokenizer).value()(kHello, true, tools).status().message(),
            "tools: the chat template llama3 has no place for tools; one that has is qwen2_5");

  const ChatRenderer render = MakeChatRenderer("qwen2_5", tokenizer).value();
  EXPECT_THAT(render({{"assistant", "", "", call}}, false, "").value(),
              HasSubstr("{\"name\": \"f\", \"arguments\": {\"x\": [1, 2.5, null, \"a,b:\\\"c\"]}}"));
  EXPECT_EQ(render(kHello, true, "[1,").status().message(), "tools: not valid JSON");
  EXPECT_EQ(render(kHello, true, "{}").status().message(), "tools: expected a list");
  EXPECT_EQ(render(kHello, true, std::string(100000, '[')).status().message(), "tools: nested too deep");
  EXPECT_EQ(render({{"assistant", "", "", R"([{"name": "f"}])"}}, false, "").status().message(),
            "tool_calls: expected calls with a name and arguments");
}

TEST(ChatTemplate, WhatATemplatePutsMustBeThere) {
  EXPECT_EQ(MakeChatRenderer("llama3", TemplateTokenizer("", "", "</s>")).status().message(),
            "the chat template llama3 puts the bos_token, but the tokenizer has none; name one in "
            "tokenizer_config.json, or another chat_template");
  EXPECT_FALSE(MakeChatRenderer("zephyr", TemplateTokenizer("", "<s>", "")).ok());
  EXPECT_EQ(Hello(MakeChatRenderer("gemma", TemplateTokenizer("", "", ""))),
            "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n");
}

TEST(ChatTemplate, RolesInTheWrongPlaceAreNamed) {
  const TemplateTokenizer tokenizer("", "<s>", "</s>");
  EXPECT_EQ(
      MakeChatRenderer("llama2", tokenizer).value()({kHello[0], kHello[0]}, false, "").status().message(),
      "messages[1].role: 'user', but roles must alternate user/assistant/user/assistant in the chat "
      "template");
  EXPECT_EQ(MakeChatRenderer("chatml", tokenizer).value()({}, true, "").status().message(),
            "a conversation without messages");
}

}  // namespace
}  // namespace plumb
