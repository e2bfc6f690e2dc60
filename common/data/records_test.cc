#include "common/data/records.h"

#include <zlib.h>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/program/runfiles.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Write(const std::string& name, absl::string_view bytes) {
  const std::string path = absl::StrCat(TemporaryFolder(), "/", name);
  PLUMB_EXPECT_OK(WriteFileAtomically(path, bytes));
  return path;
}

std::string Zipped(absl::string_view bytes) {
  const std::string path = absl::StrCat(TemporaryFolder(), "/zipped.gz");
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), bytes.size()), static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  auto zipped = ReadFile(path);
  PLUMB_EXPECT_OK(zipped);
  return *std::move(zipped);
}

struct Found {
  std::vector<std::string> records;  // as JSON
  std::vector<std::string> where;    // without the folder
  std::string error;                 // the same
};

Found Read(const std::string& path, size_t limit = SIZE_MAX) {
  Found found;
  const size_t folder = path.rfind('/') + 1;
  const absl::Status status =
      ForEachRecord(path, [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
        found.records.push_back(record.dump());
        found.where.push_back(where.substr(folder));
        return found.records.size() < limit;
      });
  if (!status.ok()) {
    const std::string message(status.message());
    EXPECT_TRUE(absl::StartsWith(message, path)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    found.error = message.substr(folder);
  }
  return found;
}

using Strings = std::vector<std::string>;

TEST(RecordsTest, JsonLinesKeepTypesAndTheOrderOfColumns) {
  const std::string path =
      Write("a.jsonl",
            "\xef\xbb\xbf{\"z\": \"a\\u00e9\\n\", \"b\": [1, -2, 18446744073709551615, 0.5, true, null]}\r\n"
            "\n   \t\n"
            "{\"x\": {\"y\": {}, \"a\": []}}");  // no line break at the end
  const Found found = Read(path);
  EXPECT_EQ(found.error, "");
  EXPECT_EQ(found.records, (Strings{"{\"z\":\"aé\\n\",\"b\":[1,-2,18446744073709551615,0.5,true,null]}",
                                    "{\"x\":{\"y\":{},\"a\":[]}}"}));
  EXPECT_EQ(found.where, (Strings{"a.jsonl:1", "a.jsonl:4"}));
}

TEST(RecordsTest, LinesMayBeLongerThanWhatIsReadAtOnce) {
  Strings lines;
  for (int i = 0; i < 40; ++i)
    lines.push_back(absl::StrCat("{\"text\":\"", std::string(i * 10007 * (i % 7), 'x'), "\"}"));
  const Found found = Read(Write("long.jsonl", absl::StrJoin(lines, "\n")));
  EXPECT_EQ(found.error, "");
  EXPECT_EQ(found.records, lines);
  EXPECT_EQ(found.where.back(), "long.jsonl:40");
}

TEST(RecordsTest, JsonIsAnArrayOrLines) {
  const Found array = Read(Write("a.json", "\n [ {\"x\": 1},\n {\"x\": 2} ]\n"));
  EXPECT_EQ(array.error, "");
  EXPECT_EQ(array.records, (Strings{"{\"x\":1}", "{\"x\":2}"}));
  EXPECT_EQ(array.where, (Strings{"a.json[0]", "a.json[1]"}));
  const Found lines = Read(Write("a.json", "{\"x\": 1}\n{\"x\": 2}\n"));
  EXPECT_EQ(lines.error, "");
  EXPECT_EQ(lines.where, (Strings{"a.json:1", "a.json:2"}));
  EXPECT_EQ(Read(Write("a.json", "[]")).error, "");
  EXPECT_EQ(Read(Write("a.jsonl", "")).error, "");
}

TEST(RecordsTest, ReadsZippedFiles) {
  EXPECT_EQ(Read(Write("a.jsonl.gz", Zipped("{\"x\": 1}\n{\"x\": 2}"))).where,
            (Strings{"a.jsonl.gz:1", "a.jsonl.gz:2"}));
  EXPECT_EQ(Read(Write("a.json.gz", Zipped("[{\"x\": 1}]"))).records, (Strings{"{\"x\":1}"}));
}

TEST(RecordsTest, StopsWhenTheVisitorHasEnough) {
  EXPECT_EQ(Read(Write("a.jsonl", "{}\n{}\nnot JSON"), 2).error, "");
  EXPECT_EQ(Read(Write("a.json", "[{}, {}, 3]"), 2).error, "");
}

TEST(RecordsTest, ErrorsNameTheFileAndThePlace) {
  const auto error = [](const std::string& name, const std::string& text) {
    return Read(Write(name, text)).error;
  };
  EXPECT_EQ(error("a.jsonl", "{}\n{\"x\": \"cut"),
            "a.jsonl:2: not valid JSON at byte 11: syntax error while parsing value - invalid string: "
            "missing closing quote");
  EXPECT_EQ(error("a.jsonl", "{}\n\n{\"x\": 1,, \"y\": 2}\n{}"),
            "a.jsonl:3: not valid JSON at byte 9: syntax error while parsing object key - unexpected ','; "
            "expected string "
            "literal");
  EXPECT_EQ(error("a.jsonl", "[1]"), "a.jsonl:1: expected an object {\"column\": value, ...}, found array");
  EXPECT_EQ(error("a.json", "[{},\n{\"x\": 1},\n{\"x\" 1}]"),
            "a.json:3: not valid JSON at byte 6: syntax error while parsing object separator - unexpected "
            "number literal; "
            "expected ':'");
  EXPECT_EQ(error("a.json", "[{},\n{\"x\": 1},\n"),
            "a.json:3: not valid JSON at byte 1: syntax error while parsing value - unexpected end of input; "
            "expected "
            "'[', '{', or a literal");
  EXPECT_EQ(error("a.json", "[{}, 7]"),
            "a.json[1]: expected an object {\"column\": value, ...}, found number");
  EXPECT_EQ(error("a.jsonl", "{\"x\": \"a\xff\"}"),
            "a.jsonl:1: not valid JSON at byte 9: syntax error while parsing value - invalid string: "
            "ill-formed UTF-8 byte");
  EXPECT_EQ(error("a.jsonl", "{\"x\": 1e999}"),
            "a.jsonl:1: not valid JSON at byte 11: number overflow parsing '1e999'");
  EXPECT_EQ(error("a.jsonl", std::string(100000, '[')),
            "a.jsonl:1: nested too deep at byte 201: expected at most 200 levels");
  EXPECT_EQ(error("a.json", absl::StrCat(R"([{"x": "\"[[\\"}, [],)", "\n ", std::string(300, '['))),
            "a.json:2: nested too deep at byte 201: expected at most 200 levels");
  EXPECT_EQ(Read(Write("a.csv", "x\n1")).error,
            "a.csv: expected a name ending in .jsonl, .json, .jsonl.gz, .json.gz or .parquet");
  EXPECT_EQ(Read("/nowhere/a.jsonl").error, "a.jsonl: cannot open: No such file or directory");
  const std::string folder = absl::StrCat(TemporaryFolder(), "/a.jsonl");
  PLUMB_ASSERT_OK(MakeFolders(folder));
  EXPECT_EQ(Read(folder).error, "a.jsonl: Is a directory");
}

TEST(RecordsTest, DamagedZipsAreErrors) {
  const std::string zipped = Zipped(absl::StrCat("{\"x\": \"", std::string(5000, 'y'), "\"}\n"));
  EXPECT_EQ(Read(Write("a.jsonl.gz", zipped.substr(0, zipped.size() - 6))).error,
            "a.jsonl.gz: the gzip file is cut off; is the download complete?");
  std::string damaged = zipped;
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  EXPECT_TRUE(absl::StartsWith(Read(Write("a.jsonl.gz", damaged)).error, "a.jsonl.gz: damaged gzip file: "));
  EXPECT_EQ(Read(Write("a.json.gz", "[{}]")).error,
            "a.json.gz: not a gzip file, though its name ends in .gz");
}

TEST(RecordsTest, AnyDamageIsAnErrorOrRecords) {
  const std::string lines =
      "{\"prompt\": \"Say \\u00e9\", \"n\": [1, 2.5e3], \"c\": {\"d\": null}}\n{\"prompt\": \"日本\", \"n\": "
      "[]}\n";
  const auto check = [](const std::string& name) {
    return [name](const std::string& bytes) { Read(Write(name, bytes)); };
  };
  ForEachMutation(lines, 300, check("a.jsonl"));
  ForEachMutation("[{\"prompt\": \"Say\", \"n\": [1, 2]},\n {\"prompt\": \"日本\", \"n\": []}]", 300,
                  check("a.json"));
  ForEachMutation(Zipped(lines), 300, check("a.jsonl.gz"));
}

TEST(RecordsTest, PathsAreFilesGlobsAndWhatComesWithTheProgram) {
  const std::string folder = TemporaryFolder();
  for (const char* name : {"b.jsonl", "a.jsonl", "c.json", "odd[1].jsonl"}) {
    PLUMB_ASSERT_OK(WriteFileAtomically(absl::StrCat(folder, "/", name), "{}"));
  }
  const auto files = [&](const std::string& path) {
    const auto found = FilesOf(path);
    return found.ok() ? absl::StrJoin(*found, ",") : std::string(found.status().message());
  };
  EXPECT_EQ(files(absl::StrCat(folder, "/?.jsonl")), absl::StrCat(folder, "/a.jsonl,", folder, "/b.jsonl"));
  EXPECT_EQ(files(absl::StrCat(folder, "/odd[1].jsonl")), absl::StrCat(folder, "/odd[1].jsonl"));
  EXPECT_TRUE(absl::StartsWith(files(absl::StrCat(folder, "/none*")), "no file matches "));

  FindRunfiles("");
  EXPECT_EQ(files("@demo_data/data/dpo_en_demo.json"),
            absl::StrCat(RunfilesFolder(), "/demo_data/data/dpo_en_demo.json"));
  EXPECT_TRUE(absl::StrContains(files("@demo_data/data/*_demo.json"), "/kto_en_demo.json"));
  EXPECT_EQ(files("@demo_data/none.json"),
            "no file matches @demo_data/none.json among the files that come with this program");
}

TEST(ReadTextTest, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(*ReadText(Write("a.txt", "日本\n")), "日本\n");
  EXPECT_EQ(*ReadText(Write("a.txt.gz", Zipped("zipped"))), "zipped");
  EXPECT_TRUE(absl::EndsWith(ReadText(Write("a.txt", "a\xff")).status().message(), "a.txt: not UTF-8"));
}

}  // namespace
}  // namespace plumb
