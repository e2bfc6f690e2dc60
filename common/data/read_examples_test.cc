#include "common/data/read_examples.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/data/records.h"
#include "common/files/files.h"
#include "common/program/runfiles.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

// A conversation in one line: "user:Hi|assistant:Hello"; of a tool "tool(name):..."; calls as
// "assistant+CALLS:".
std::string Shown(const Content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return absl::StrCat("\"", *text, "\"");
  return absl::StrJoin(std::get<std::vector<ChatMessage>>(content), "|",
                       [](std::string* out, const ChatMessage& message) {
                         absl::StrAppend(out, message.role);
                         if (!message.name.empty()) absl::StrAppend(out, "(", message.name, ")");
                         if (!message.tool_calls.empty()) absl::StrAppend(out, "+", message.tool_calls);
                         absl::StrAppend(out, ":", message.content);
                       });
}

RecordSource Source(const std::string& path) {
  RecordSource source;
  source.add_path(path);
  return source;
}

RecordSource Rows(absl::string_view json_lines) {
  const std::string path = absl::StrCat(TemporaryFolder(), "/rows.jsonl");
  PLUMB_EXPECT_OK(WriteFileAtomically(path, json_lines));
  return Source(path);
}

// The fields of an example, or the error without its folder.
std::string ErrorOf(const absl::Status& status) {
  const std::string message(status.message());
  const size_t name = message.find("rows.jsonl");
  return absl::StrCat("error: ", name == std::string::npos ? message : message.substr(name));
}

std::string Pair(const std::string& row) {
  const auto examples = ReadPreferences(Rows(row));
  if (!examples.ok()) return ErrorOf(examples.status());
  const PreferenceExample& example = examples->at(0);
  return absl::StrCat(Shown(example.prompt), " / ", Shown(example.chosen), " / ", Shown(example.rejected));
}

std::string Text(const std::string& row) {
  const auto examples = ReadTexts(Rows(row));
  if (!examples.ok()) return ErrorOf(examples.status());
  return absl::StrCat(Shown(examples->at(0).prompt), " / ", Shown(examples->at(0).completion));
}

std::string Unpaired(const std::string& row) {
  const auto examples = ReadUnpaired(Rows(row));
  if (!examples.ok()) return ErrorOf(examples.status());
  return absl::StrJoin(*examples, "; ", [](std::string* out, const UnpairedExample& example) {
    absl::StrAppend(out, Shown(example.prompt), " / ", Shown(example.completion), " / ",
                    example.label ? "good" : "bad");
  });
}

std::string Prompt(const std::string& row) {
  const auto prompts = ReadPrompts(Rows(row));
  if (!prompts.ok()) return ErrorOf(prompts.status());
  EXPECT_TRUE(absl::EndsWith(prompts->at(0).where, "rows.jsonl:1"));
  return absl::StrCat(Shown(prompts->at(0).prompt), prompts->at(0).tools);
}

constexpr char kHiHello[] =
    R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])";

// ---- Preference ----

TEST(ReadPreferencesTest, ExplicitPrompt) {
  EXPECT_EQ(Pair(R"({"prompt": "1+1=", "chosen": "2", "rejected": "3", "id": 7})"), R"("1+1=" / "2" / "3")");
  EXPECT_EQ(Pair(R"({"prompt": [{"role": "user", "content": "Hi"}], )"
                 R"("chosen": [{"role": "assistant", "content": "Hello"}], )"
                 R"("rejected": [{"role": "assistant", "content": "Go"}]})"),
            "user:Hi / assistant:Hello / assistant:Go");
  // Text answers to a conversation are the assistant's.
  EXPECT_EQ(Pair(R"({"prompt": [{"role": "user", "content": "Hi"}], "chosen": "Hello", "rejected": ""})"),
            "user:Hi / assistant:Hello / assistant:");
  EXPECT_EQ(Pair(R"({"prompt": "", "chosen": "a b", "rejected": "a c"})"), R"("" / "a b" / "a c")");
}

void ExpectAsTrl(const std::string& golden_name, const std::string& eos) {
  const auto golden = ReadFile(Runfile(absl::StrCat("common/data/testdata/preference/", golden_name)));
  PLUMB_ASSERT_OK(golden);
  const Json cases = Json::parse(*golden);
  int compared = 0;
  for (const Json& row : cases["rows"]) {
    if (row.contains("quirk")) continue;
    // TRL has added EOS to texts; reading the expected columns gives them in our types.
    Json expected = {{"prompt", row["expected"]["prompt"]}};
    for (const char* answer : {"chosen", "rejected"}) {
      expected[answer] = row["expected"][answer];
      if (expected[answer].is_string()) {
        expected[answer] = std::string(absl::StripSuffix(expected[answer].get<std::string>(), eos));
      }
    }
    EXPECT_EQ(Pair(row["row"].dump()), Pair(expected.dump()));
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST(ReadPreferencesTest, ImplicitPromptAsTrl) {
  ExpectAsTrl("implicit_plain.json", "<|eot_id|>");
  ExpectAsTrl("implicit_chat.json", "");
}

TEST(ReadPreferencesTest, ImplicitPromptWhereTrlMiscounts) {
  EXPECT_EQ(Pair(R"({"chosen": "Yes and more", "rejected": "Yes"})"), R"("Yes" / " and more" / "")");
  EXPECT_EQ(Pair(R"({"chosen": "no ", "rejected": "yes"})"), R"("" / "no " / "yes")");
  EXPECT_EQ(Pair(R"({"chosen": "", "rejected": "yes"})"), R"("" / "" / "yes")");
  // é and è share their first byte.
  EXPECT_EQ(Pair(R"({"chosen": "aé", "rejected": "aè"})"), R"("a" / "é" / "è")");
}

TEST(ReadPreferencesTest, ConversationsBesideACopyOfTheirPrompt) {
  const std::string bad = R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go"}])";
  EXPECT_EQ(Pair(absl::StrCat(R"({"prompt": "Hi", "chosen": )", kHiHello, R"(, "rejected": )", bad, "}")),
            "user:Hi / assistant:Hello / assistant:Go");
  // Answers that leave it out.
  EXPECT_EQ(Pair(R"({"prompt": "Hi", "chosen": [{"role": "assistant", "content": "Hello"}], )"
                 R"("rejected": [{"role": "assistant", "content": "Go"}]})"),
            "user:Hi / assistant:Hello / assistant:Go");
  // The same conversation twice: the last message is the answer.
  EXPECT_EQ(Pair(absl::StrCat(R"({"chosen": )", kHiHello, R"(, "rejected": )", kHiHello, "}")),
            "user:Hi / assistant:Hello / assistant:Hello");
}

TEST(ReadPreferencesTest, ShareGpt) {
  EXPECT_EQ(
      Pair(
          R"({"conversations": [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi"}], )"
          R"("chosen": {"from": "gpt", "value": "Hello"}, "rejected": {"from": "gpt", "value": "Go"}})"),
      "system:Be kind.|user:Hi / assistant:Hello / assistant:Go");
  EXPECT_EQ(Pair(R"({"messages": [{"role": "user", "content": "Hi"}], )"
                 R"("chosen": {"role": "assistant", "content": "Hello"}, "rejected": "Go"})"),
            "error: rows.jsonl:1: of chosen and rejected one is text and the other a list of messages");
}

TEST(ReadPreferencesTest, AlpacaAndSystem) {
  EXPECT_EQ(
      Pair(
          R"({"instruction": "Add", "input": "1 1", "history": [["a", "b"]], "chosen": "2", "rejected": "3"})"),
      "user:a|assistant:b|user:Add\n1 1 / assistant:2 / assistant:3");
  EXPECT_EQ(Pair(R"({"system": "Be kind.", "prompt": "Hi", "chosen": "Hello", "rejected": "Go"})"),
            "system:Be kind.|user:Hi / assistant:Hello / assistant:Go");
  EXPECT_EQ(
      Pair(
          R"({"system": "Be", "prompt": [{"role": "system", "content": "x"}], "chosen": "", "rejected": ""})"),
      "error: rows.jsonl:1: column 'system': the conversation begins with a system message already");
}

TEST(ReadPreferencesTest, FurtherColumns) {
  const auto examples = ReadPreferences(
      Rows(R"({"prompt": "p", "chosen": "c", "rejected": "r", "margin": 1, "ref_chosen_logps": -1.5, )"
           R"("ref_rejected_logps": -2.5, "reference": "best", "tools": [{"name": "f", "a": 1}]})"
           "\n"
           R"({"prompt": "p", "chosen": "c", "rejected": "r", "margin": null, "tools": "[{}]", )"
           R"("reference": [{"role": "assistant", "content": "said"}]})"));
  PLUMB_ASSERT_OK(examples);
  ASSERT_EQ(examples->size(), 2);
  const PreferenceExample& full = (*examples)[0];
  EXPECT_EQ(full.margin, 1.0);
  EXPECT_EQ(full.ref_chosen_logps, -1.5);
  EXPECT_EQ(full.ref_rejected_logps, -2.5);
  EXPECT_EQ(full.reference_answer, "best");
  EXPECT_EQ(full.tools, R"([{"name":"f","a":1}])");
  EXPECT_TRUE(absl::EndsWith(full.where, "rows.jsonl:1")) << full.where;
  EXPECT_EQ((*examples)[1].margin, std::nullopt);
  EXPECT_EQ((*examples)[1].tools, "[{}]");
  EXPECT_EQ((*examples)[1].reference_answer, "said");
  EXPECT_TRUE(absl::EndsWith((*examples)[1].where, "rows.jsonl:2"));
}

TEST(ReadPreferencesTest, ScoresAndSentences) {
  const auto examples = ReadPreferences(
      Rows(R"({"prompt": "p", "chosen": "One. Two.", "rejected": "r", "score_chosen": [1, -2.5], )"
           R"("score_rejected": 3, "chosen_sentences": ["One.", "Two."], "chosen_mask": [true, 0]})"));
  PLUMB_ASSERT_OK(examples);
  const PreferenceExample& example = (*examples)[0];
  EXPECT_EQ(example.score_chosen, (std::vector<double>{1, -2.5}));
  EXPECT_EQ(example.score_rejected, std::vector<double>{3});
  ASSERT_EQ(example.chosen_sentences.size(), 2);
  EXPECT_EQ(example.chosen_sentences[1].text, "Two.");
  EXPECT_TRUE(example.chosen_sentences[0].counts);
  EXPECT_FALSE(example.chosen_sentences[1].counts);
  EXPECT_TRUE(example.rejected_sentences.empty());
  const auto error = [](const std::string& columns) {
    return Pair(R"({"prompt": "p", "chosen": "c", "rejected": "r", )" + columns + "}");
  };
  EXPECT_EQ(error(R"("score_chosen": [1, "2"])"),
            "error: rows.jsonl:1: column 'score_chosen': expected finite numbers, found string");
  EXPECT_EQ(error(R"("rejected_mask": [1])"),
            "error: rows.jsonl:1: expected the columns 'rejected_sentences' and 'rejected_mask', or neither");
  EXPECT_EQ(error(R"("rejected_sentences": ["r", "s"], "rejected_mask": [1])"),
            "error: rows.jsonl:1: column 'rejected_mask': expected one for each of the 2 of "
            "'rejected_sentences', found 1");
  EXPECT_EQ(error(R"("rejected_sentences": ["r"], "rejected_mask": ["yes"])"),
            "error: rows.jsonl:1: column 'rejected_mask': expected true or false, found string");
}

TEST(ReadPreferencesTest, ErrorsSayWhatIsThereAndWhatIsExpected) {
  EXPECT_EQ(
      Pair(R"({"question": "q", "answer": "a", "none": null})"),
      "error: rows.jsonl:1: expected the columns chosen and rejected, alone or with one of prompt, messages, "
      "conversations and instruction; found question, answer");
  EXPECT_TRUE(absl::EndsWith(Pair("{}"), "; found none"));
  EXPECT_TRUE(absl::EndsWith(Pair(absl::StrCat(R"({"two\nlines": 1, ")", std::string(300, 'x'), R"(": 1})")),
                             "; found two\\nlines, ..."));
  EXPECT_EQ(Pair(R"({"prompt": "p", "chosen": 3, "rejected": "r"})"),
            "error: rows.jsonl:1: column 'chosen': expected text or a list of messages, found number");
  EXPECT_EQ(Pair(R"({"prompt": "p", "chosen": "c", "rejected": "r", "margin": "1"})"),
            "error: rows.jsonl:1: column 'margin': expected a finite number, found string");
  EXPECT_EQ(
      Pair(R"({"chosen": [{"role": "user"}], "rejected": []})"),
      "error: rows.jsonl:1: column 'chosen', message 0: expected the columns role and content; found role");
  EXPECT_EQ(Pair(R"({"chosen": ["Hi"], "rejected": []})"),
            "error: rows.jsonl:1: column 'chosen', message 0: expected {\"role\": ..., \"content\": ...}");
  EXPECT_EQ(Pair(R"({"chosen": "a", "rejected": "b", "chat_template_kwargs": {"x": true}})"),
            "error: rows.jsonl:1: column 'chat_template_kwargs': templates take no options here; remove the "
            "column");
  EXPECT_TRUE(absl::StrContains(ReadPreferences(Rows("")).status().message(), "no records in "));
}

// ---- Messages ----

TEST(ReadMessagesTest, ToolsAndParts) {
  EXPECT_EQ(
      Text(
          R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "We"}, {"type": "text", "text": "ather?"}]}, )"
          R"({"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": {"name": "w", "arguments": {}}}]}, )"
          R"({"role": "tool", "name": "w", "content": "sun"}]})"),
      R"("" / user:Weather?|assistant+[{"type":"function","function":{"name":"w","arguments":{}}}]:|tool(w):sun)");
  EXPECT_EQ(
      Text(
          R"({"conversations": [{"from": "function_call", "value": "{\"name\": \"w\"}"}, {"from": "observation", "value": "sun"}]})"),
      R"("" / assistant+[{"type":"function","function":{"name": "w"}}]:|tool:sun)");
  const std::string deep =
      absl::StrCat(R"({\"name\": )", std::string(300000, '['), std::string(300000, ']'), "}");
  EXPECT_GT(
      Text(absl::StrCat(R"({"conversations": [{"from": "function_call", "value": ")", deep, "\"}]}")).size(),
      600000);
  EXPECT_EQ(
      Text(R"({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]})"),
      "error: rows.jsonl:1: column 'messages', message 0: 'content': expected text parts alone (no images)");
  EXPECT_EQ(
      Text(R"({"conversations": [{"from": "function_call", "value": "w"}]})"),
      "error: rows.jsonl:1: column 'conversations', message 0: 'value': expected a call {\"name\": ..., "
      "\"arguments\": ...} as JSON");
}

// ---- Text ----

TEST(ReadTextsTest, Forms) {
  EXPECT_EQ(Text(R"({"text": "whole"})"), R"("" / "whole")");
  EXPECT_EQ(Text(R"({"prompt": "1+1=", "completion": "2"})"), R"("1+1=" / "2")");
  EXPECT_EQ(
      Text(
          R"({"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Ho"}]})"),
      "user:Hi / assistant:Ho");
  EXPECT_EQ(Text(absl::StrCat(R"({"prompt": "Hi", "messages": )", kHiHello, "}")),
            "\"\" / user:Hi|assistant:Hello");
  EXPECT_EQ(Text(absl::StrCat(R"({"system": "Be", "conversations": )", kHiHello, "}")),
            "\"\" / system:Be|user:Hi|assistant:Hello");
  EXPECT_EQ(Text(R"({"instruction": "Add", "input": "", "output": "2", "text": "Add 2"})"),
            "user:Add / assistant:2");
  EXPECT_EQ(
      Text(R"({"question": "q"})"),
      "error: rows.jsonl:1: expected the columns prompt and completion, or messages, or conversations, or "
      "instruction and output, or text; found question");
  EXPECT_EQ(Text(R"({"messages": "Hi"})"),
            "error: rows.jsonl:1: column 'messages': expected a list of messages, found string");
}

// ---- Unpaired ----

TEST(ReadUnpairedTest, Forms) {
  EXPECT_EQ(Unpaired(R"({"prompt": "1+1=", "completion": "2", "label": true})"), R"("1+1=" / "2" / good)");
  EXPECT_EQ(Unpaired(R"({"prompt": [{"role": "user", "content": "Hi"}], "completion": "Go", "label": 0})"),
            "user:Hi / assistant:Go / bad");
  EXPECT_EQ(Unpaired(absl::StrCat(R"({"messages": )", kHiHello, R"(, "label": false})")),
            "user:Hi / assistant:Hello / bad");
  EXPECT_EQ(Unpaired(R"({"instruction": "Add", "input": "1 1", "output": "2", "kto_tag": true})"),
            "user:Add\n1 1 / assistant:2 / good");
  EXPECT_EQ(Unpaired(R"({"chosen": "a b", "rejected": "a c"})"), R"("a" / " b" / good; "a" / " c" / bad)");
  const auto weighted =
      ReadUnpaired(Rows(R"({"prompt": "p", "completion": "c", "label": true, "weight": 0.5})"));
  PLUMB_ASSERT_OK(weighted);
  EXPECT_EQ(weighted->at(0).weight, 0.5);
  EXPECT_EQ(Unpaired(R"({"prompt": "p", "completion": "c", "label": true, "weight": -1})"),
            "error: rows.jsonl:1: column 'weight': expected a number that is not negative");
  EXPECT_EQ(Unpaired(R"({"prompt": "p", "completion": "c", "label": "yes"})"),
            "error: rows.jsonl:1: column 'label': expected true or false, found string");
  EXPECT_EQ(Unpaired(R"({"messages": [{"role": "user", "content": "Hi"}], "label": true})"),
            "error: rows.jsonl:1: column 'messages': expected its last message to be the assistant's");
  EXPECT_EQ(
      Unpaired(R"({"prompt": "p", "completion": "c"})"),
      "error: rows.jsonl:1: expected the columns label (or kto_tag) with prompt and completion, messages, "
      "conversations, or instruction and output; or chosen and rejected; found prompt, completion");
}

// ---- Stepwise, prompts ----

TEST(ReadStepwiseTest, StepsHaveLabels) {
  const auto examples = ReadStepwise(
      Rows(R"({"prompt": "9.11 or 9.8?", "completions": ["11 > 8", "so 9.11"], "labels": [true, false]})"));
  PLUMB_ASSERT_OK(examples);
  EXPECT_EQ(examples->at(0).prompt, "9.11 or 9.8?");
  EXPECT_EQ(examples->at(0).completions, (std::vector<std::string>{"11 > 8", "so 9.11"}));
  EXPECT_EQ(examples->at(0).labels, (std::vector<bool>{true, false}));
  const auto error = [](const std::string& row) { return ErrorOf(ReadStepwise(Rows(row)).status()); };
  EXPECT_EQ(error(R"({"prompt": "p", "completions": ["a", "b"], "labels": [true]})"),
            "error: rows.jsonl:1: expected a label for each of the 2 completions, found 1 labels");
  EXPECT_EQ(error(R"({"prompt": "p", "completions": ["a", 1], "labels": [true]})"),
            "error: rows.jsonl:1: column 'completions': expected a list of texts, found number");
  EXPECT_EQ(error(R"({"prompt": "p", "completion": "a", "label": true})"),
            "error: rows.jsonl:1: expected the columns prompt, completions and labels; found prompt, "
            "completion, label");
}

TEST(ReadPromptsTest, Forms) {
  EXPECT_EQ(Prompt(R"({"prompt": "Once"})"), R"("Once")");
  EXPECT_EQ(Prompt(R"({"prompt": [{"role": "user", "content": "Hi"}]})"), "user:Hi");
  EXPECT_EQ(Prompt(R"({"system": "Be", "prompt": "Hi"})"), "system:Be|user:Hi");
  EXPECT_EQ(Prompt(absl::StrCat(R"({"messages": )", kHiHello, "}")), "user:Hi");
  EXPECT_EQ(Prompt(R"({"instruction": "Add", "input": "1", "output": "2"})"), "user:Add\n1");
  EXPECT_EQ(Prompt(R"({"chosen": "a b", "rejected": "a c"})"), R"("a")");
  EXPECT_EQ(Prompt(R"({"prompt": [{"role": "user", "content": "Hi"}], "tools": [{"x": 1}]})"),
            R"(user:Hi[{"x":1}])");
  EXPECT_EQ(Prompt(R"({"chosen": "a b", "rejected": "a c", "tools": "[2]"})"), R"("a"[2])");
  EXPECT_EQ(Prompt(R"({"question": "q"})"),
            "error: rows.jsonl:1: expected the columns prompt, or messages, or conversations, or "
            "instruction, or chosen "
            "and rejected; found question");
}

// ---- Files ----

TEST(ReadExamplesTest, FilesInTheirOrderAndNoMoreThanAsked) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/b.jsonl", "{\"text\": \"3\"}\nnot JSON\n"));
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/a.json", "[{\"text\": \"1\"}, {\"text\": \"2\"}]"));
  RecordSource source;
  source.add_path(folder + "/a.*");
  source.add_path(folder + "/b.jsonl");
  EXPECT_FALSE(ReadTexts(source).ok());
  source.set_max_examples(3);
  const auto texts = ReadTexts(source);
  PLUMB_ASSERT_OK(texts);
  ASSERT_EQ(texts->size(), 3);
  EXPECT_EQ(Shown((*texts)[2].completion), "\"3\"");
  EXPECT_EQ((*texts)[1].where, folder + "/a.json[1]");

  RecordSource pairs =
      Rows("{\"chosen\": \"a\", \"rejected\": \"b\"}\n{\"chosen\": \"a\", \"rejected\": \"b\"}");
  pairs.set_max_examples(3);
  EXPECT_EQ(ReadUnpaired(pairs)->size(), 3);
}

TEST(ReadExamplesTest, AnyDamageIsAnErrorOrExamples) {
  const std::string rows = absl::StrCat(
      R"({"prompt": "Say", "completion": "yes", "label": true, "chosen": "ab", "rejected": "ac", "margin": 1.5, "tools": [{}]})",
      "\n", R"({"system": "Be", "messages": )", kHiHello,
      R"(, "label": false, "chosen": {"from": "gpt", "value": "x"}, )",
      R"("rejected": {"from": "function_call", "value": "{}"}, "completions": ["a"], "labels": [true]})");
  ForEachMutation(rows, 400, [](const std::string& bytes) {
    const RecordSource source = Rows(bytes);
    for (const absl::Status& status :
         {ReadPreferences(source).status(), ReadTexts(source).status(), ReadUnpaired(source).status(),
          ReadStepwise(source).status(), ReadPrompts(source).status()}) {
      EXPECT_TRUE(status.ok() || absl::StrContains(status.message(), "rows.jsonl")) << status;
      EXPECT_FALSE(absl::StrContains(status.message(), "\n")) << status;
    }
  });
}

TEST(ForEachTextTest, EveryStringOfRecordsAndTextFilesAsAWhole) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/a.txt", "one\ntwo"));
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/b.jsonl",
                                      R"({"x": "a", "n": 1, "y": [{"role": "user", "content": "b"}]})"));
  std::vector<std::string> texts;
  const auto keep = [&](absl::string_view text) {
    texts.emplace_back(text);
    return absl::OkStatus();
  };
  PLUMB_ASSERT_OK(ForEachText({folder + "/*"}, keep));
  EXPECT_EQ(texts, (std::vector<std::string>{"one\ntwo", "a", "user", "b"}));
  EXPECT_FALSE(ForEachText({folder + "/c.txt"}, keep).ok());
  EXPECT_EQ(
      ForEachText({folder + "/b.jsonl"}, [](absl::string_view) { return absl::CancelledError("enough"); }),
      absl::CancelledError("enough"));
}

// ---- Real data ----

TEST(RealDataTest, HhRlhf) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/hh-rlhf/harmless-base.test.jsonl.gz");
  const std::string path = SharedData("alignment/hh-rlhf/harmless-base.test.jsonl.gz");
  const auto pairs = ReadPreferences(Source(path));
  PLUMB_ASSERT_OK(pairs);
  ASSERT_EQ(pairs->size(), 2312);
  size_t at_turn = 0, line = 0;
  PLUMB_ASSERT_OK(ForEachRecord(path, [&](const Record& row, const std::string&) -> absl::StatusOr<bool> {
    const PreferenceExample& pair = (*pairs)[line++];
    const std::string prompt = std::get<std::string>(pair.prompt);
    const std::string chosen = std::get<std::string>(pair.chosen);
    const std::string rejected = std::get<std::string>(pair.rejected);
    EXPECT_EQ(row["chosen"], prompt + chosen);
    EXPECT_EQ(row["rejected"], prompt + rejected);
    // TRL's rule, where it counts right.
    size_t i = 0;
    const std::string a = row["chosen"], b = row["rejected"];
    while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
    if (i < a.size() && i < b.size() && (a[i] & 0x80) == 0 && (b[i] & 0x80) == 0) {
      EXPECT_EQ(prompt, a.substr(0, a[i - 1] == ' ' ? i - 1 : i)) << pair.where;
    }
    at_turn += absl::EndsWith(prompt, "\n\nAssistant:");
    return true;
  }));
  // Of 445 pairs the answers begin alike, so that their prompt goes on into them: counted with TRL's own
  // rule.
  EXPECT_EQ(at_turn, 2312 - 445);
}

TEST(RealDataTest, LlamaFactory) {
  FindRunfiles("");
  const auto pairs = ReadPreferences(Source("@demo_data/data/dpo_en_demo.json"));
  PLUMB_ASSERT_OK(pairs);
  ASSERT_EQ(pairs->size(), 300);
  for (const PreferenceExample& pair : *pairs) {
    EXPECT_EQ(std::get<std::vector<ChatMessage>>(pair.prompt).back().role, "user");
    EXPECT_EQ(std::get<std::vector<ChatMessage>>(pair.chosen).at(0).role, "assistant");
    EXPECT_EQ(std::get<std::vector<ChatMessage>>(pair.rejected).size(), 1);
  }
  const auto unpaired = ReadUnpaired(Source("@demo_data/data/kto_en_demo.json"));
  PLUMB_ASSERT_OK(unpaired);
  EXPECT_EQ(unpaired->size(), 300);
  const auto texts = ReadTexts(Source("@demo_data/data/alpaca_en_demo.json"));
  PLUMB_ASSERT_OK(texts);
  EXPECT_EQ(texts->size(), 999);
  EXPECT_EQ(std::get<std::vector<ChatMessage>>((*texts)[0].prompt)[0].content,
            "Describe a process of making crepes.");
  size_t bytes = 0;
  PLUMB_ASSERT_OK(
      ForEachText({"@demo_data/data/wiki_demo.txt", "@demo_data/data/c4_demo.jsonl", "@demo_data/LICENSE"},
                  [&](absl::string_view text) {
                    bytes += text.size();
                    return absl::OkStatus();
                  }));
  EXPECT_GT(bytes, 100000);
}

TEST(RealDataTest, ToolCalls) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/llamafactory/glaive_toolcall_en_demo.json");
  const auto texts = ReadTexts(Source(SharedData("alignment/llamafactory/glaive_toolcall_en_demo.json")));
  PLUMB_ASSERT_OK(texts);
  ASSERT_EQ(texts->size(), 300);
  size_t calls = 0;
  for (const TextExample& text : *texts) {
    EXPECT_FALSE(text.tools.empty());
    for (const ChatMessage& message : std::get<std::vector<ChatMessage>>(text.completion)) {
      calls += !message.tool_calls.empty();
    }
  }
  EXPECT_EQ(calls, 211);
}

TEST(RealDataTest, QuestionsAndAnswersAreRefused) {
  PLUMB_REQUIRE_SHARED_DATA("alignment/gsm8k/test.jsonl");
  const absl::Status status = ReadTexts(Source(SharedData("alignment/gsm8k/test.jsonl"))).status();
  EXPECT_TRUE(absl::StrContains(status.message(),
                                "test.jsonl:1: expected the columns prompt and completion, or messages, or "
                                "conversations, or instruction and output, or text; found question, answer"))
      << status;
}

}  // namespace
}  // namespace plumb
