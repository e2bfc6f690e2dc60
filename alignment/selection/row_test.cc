#include "alignment/selection/row.h"

#include <filesystem>

#include "alignment/selection/row_spool.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

Row RowOf(const std::string& json) { return {Record::parse(json), "rows.jsonl:1"}; }

std::string Text(const std::string& json, const std::vector<std::string>& columns = {}) {
  const auto text = RowText(RowOf(json), columns);
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(Row, ItsTextIsWhatStandsBeforeTheAnswer) {
  EXPECT_EQ(Text(R"({"chosen": "yes", "prompt": "1+1?", "rejected": "no"})"), "1+1?");
  EXPECT_EQ(Text(R"({"instruction": "Add.", "input": "1 1", "output": "2"})"), "Add.\n1 1");
  EXPECT_EQ(Text(R"({"prompt": [{"role": "system", "content": "Be brief."},
                                {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]})"),
            "Be brief.\nHi");
  EXPECT_EQ(Text(R"({"conversations": [{"from": "human", "value": "Hi"}], "system": "Be kind."})"),
            "Be kind.\nHi");
  EXPECT_EQ(Text(R"({"prompt": null, "chosen": "H: Hi A: Hello", "rejected": "H: Hi A: No"})"),
            "H: Hi A: Hello");
}

TEST(Row, ItsTextIsOfTheColumnsAskedFor) {
  EXPECT_EQ(Text(R"({"question": "Q", "answer": "A", "prompt": "P"})", {"question", "answer"}), "Q\nA");
  EXPECT_EQ(Text(R"({"question": "Q"})", {"question", "answer"}), "Q");
  EXPECT_EQ(Text(R"({"prompt": "P", "system": "S"})", {"question"}),
            "rows.jsonl:1: expected one of the columns question");
  EXPECT_EQ(Text(R"({"completion": "A", "system": "S"})"),
            "rows.jsonl:1: expected one of the columns system, prompt, messages, conversations, instruction, "
            "input, chosen");
}

std::string ScoreError(const std::string& json) {
  return std::string(ReadScores(RowOf(json), AnswerColumns()).status().message());
}

TEST(Row, ItsScoresAreAsManyAsItsAnswers) {
  EXPECT_EQ(ReadScores(RowOf(R"({"completions": ["a", "b"], "scores": [1, 2.5]})"), AnswerColumns()).value(),
            (std::vector<double>{1, 2.5}));
  EXPECT_EQ(ScoreError(R"({"scores": [1]})"), "rows.jsonl:1: expected the column completions");
  EXPECT_EQ(ScoreError(R"({"completions": "a", "scores": [1]})"),
            "rows.jsonl:1: column 'completions': expected a list");
  EXPECT_EQ(ScoreError(R"({"completions": ["a", "b"], "scores": [1]})"),
            "rows.jsonl:1: expected a score for each of the 2 answers, found 1 scores");
  EXPECT_EQ(ScoreError(R"({"completions": ["a"], "scores": [null]})"),
            "rows.jsonl:1: column 'scores': expected finite numbers");
}

TEST(Row, APairTakesThePlaceOfTheAnswers) {
  const Row pair = PairRow(RowOf(R"({"prompt": "P", "completions": ["a", ["b"], "c"], "scores": [1, 2, 3],
                                     "source": 7})"),
                           AnswerColumns(), {1, 0});
  EXPECT_EQ(pair.record.dump(), R"({"prompt":"P","source":7,"chosen":["b"],"rejected":"a"})");
  EXPECT_EQ(pair.where, "rows.jsonl:1");
}

TEST(Row, ManyComeFromFilesInTheirOrder) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/a.jsonl", "{\"x\": 1}\n\n{\"x\": 2}\n"));
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/b.json", "[{\"x\": 3}, {\"x\": 4}]"));
  RecordSource source;
  source.add_path(folder + "/a.jsonl");
  source.add_path(folder + "/b.json");
  source.set_max_examples(3);
  std::vector<int> values;
  std::vector<std::string> places;
  PLUMB_EXPECT_OK(ForEachRow(source, [&](Row row) {
    values.push_back(FindColumn(row, "x")->get<int>());
    places.push_back(row.where);
    return absl::OkStatus();
  }));
  EXPECT_EQ(values, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(places[1], folder + "/a.jsonl:3");
  EXPECT_EQ(places[2], folder + "/b.json[0]");
  PLUMB_ASSERT_OK(WriteFileAtomically(folder + "/empty.jsonl", "\n"));
  source.clear_path();
  source.add_path(folder + "/empty.jsonl");
  EXPECT_EQ(ForEachRow(source, [](Row) { return absl::OkStatus(); }).message(),
            "no records in " + folder + "/empty.jsonl");
}

TEST(RowSpool, GivesRowsBackInAnyOrder) {
  const std::string folder = TemporaryFolder();
  auto spool = RowSpool::Make(folder);
  PLUMB_ASSERT_OK(spool);
  const std::string large(300000, 'x');  // several of these are more than what is held in memory
  for (int i = 0; i < 20; ++i) {
    Row row = {Record::object({{"i", i}, {"text", i % 2 == 0 ? large : "ž\n\"" + large}}),
               "rows.jsonl:" + std::to_string(i)};
    PLUMB_ASSERT_OK(spool->Append(row));
  }
  ASSERT_EQ(spool->size(), 20);
  RowSpool moved = *std::move(spool);
  for (const int i : {19, 0, 7, 7, 12}) {
    const auto row = moved.Read(i);
    PLUMB_ASSERT_OK(row);
    EXPECT_EQ(row->record["i"], i);
    EXPECT_EQ(row->record["text"].get<std::string>().size(), large.size() + (i % 2 == 0 ? 0 : 4));
    EXPECT_EQ(row->where, "rows.jsonl:" + std::to_string(i));
  }
  PLUMB_ASSERT_OK(moved.Append({Record::object({{"i", 20}}), "late"}));
  EXPECT_EQ(moved.Read(20)->where, "late");
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST(RowSpool, NeedsAFolder) {
  EXPECT_EQ(RowSpool::Make("/nowhere/at/all").status().message(),
            "cannot make a file in /nowhere/at/all: No such file or directory");
}

}  // namespace
}  // namespace plumb
