#include "common/data/parquet_records.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <parquet/arrow/writer.h>

#include <new>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/data/read_examples.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using Arrays = std::vector<std::shared_ptr<arrow::Array>>;

// A column of what JSON `values` holds, null where that is null.
template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> Column(const std::vector<std::optional<Value>>& values) {
  Builder builder;
  for (const std::optional<Value>& value : values) {
    EXPECT_TRUE((value.has_value() ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return *builder.Finish();
}

using Texts = std::vector<std::optional<std::string>>;

std::shared_ptr<arrow::Array> Strings(const Texts& values) { return Column<arrow::StringBuilder>(values); }

// Lists of messages, cut off one array of all at `offsets`.
std::shared_ptr<arrow::Array> Conversations(const Texts& roles, const Texts& contents,
                                            const std::vector<std::optional<int32_t>>& offsets) {
  const auto messages = *arrow::StructArray::Make(Arrays{Strings(roles), Strings(contents)},
                                                  std::vector<std::string>{"role", "content"});
  return *arrow::ListArray::FromArrays(*Column<arrow::Int32Builder>(offsets), *messages);
}

std::string WriteParquet(const std::vector<std::string>& names, const Arrays& columns) {
  arrow::FieldVector fields;
  for (size_t i = 0; i < names.size(); ++i) fields.push_back(arrow::field(names[i], columns[i]->type()));
  const auto table = arrow::Table::Make(arrow::schema(fields), columns);
  const std::string path = absl::StrCat(TemporaryFolder(), "/a.parquet");
  const auto out = *arrow::io::FileOutputStream::Open(path);
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, /*chunk_size=*/2).ok());
  EXPECT_TRUE(out->Close().ok());
  return path;
}

std::vector<std::string> Read(const std::string& path, absl::Status* status) {
  std::vector<std::string> records;
  *status =
      ForEachParquetRecord(path, [&](const Record& record, const std::string& where) -> absl::StatusOr<bool> {
        EXPECT_EQ(where, absl::StrCat(path, "[", records.size(), "]"));
        records.push_back(record.dump());
        return true;
      });
  return records;
}

TEST(ParquetRecordsTest, ValuesOfAllTypesThatJsonHas) {
  const auto large = Column<arrow::LargeStringBuilder, std::string>({"日本", std::nullopt, "b"});
  const auto integers = Column<arrow::Int32Builder, int32_t>({-1, 2, std::nullopt});
  const auto reals = Column<arrow::DoubleBuilder, double>({0.5, std::nullopt, -2e300});
  const auto bools = Column<arrow::BooleanBuilder, bool>({true, false, std::nullopt});
  const auto bytes = Column<arrow::BinaryBuilder, std::string>({"\xff", "x", "y"});
  const auto nested =
      *arrow::StructArray::Make(Arrays{integers, bytes, bools}, std::vector<std::string>{"i", "y", "b"});
  const auto lists = Conversations({"user", "assistant", "user"}, {"Hi", "Ho", std::nullopt}, {0, 2, 2, 3});
  absl::Status status;
  const auto records =
      Read(WriteParquet({"s", "t", "i", "r", "b", "bytes", "nested", "l"},
                        {Strings({"a", "", "c"}), large, integers, reals, bools, bytes, nested, lists}),
           &status);
  PLUMB_ASSERT_OK(status);
  EXPECT_EQ(
      records,
      (std::vector<std::string>{
          R"({"s":"a","t":"日本","i":-1,"r":0.5,"b":true,"nested":{"i":-1,"b":true},"l":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"}]})",
          R"({"s":"","t":null,"i":2,"r":null,"b":false,"nested":{"i":2,"b":false},"l":[]})",
          R"({"s":"c","t":"b","i":null,"r":-2e+300,"b":null,"nested":{"i":null,"b":null},"l":[{"role":"user","content":null}]})"}));
}

TEST(ParquetRecordsTest, PairsOfConversations) {
  const auto chosen =
      Conversations({"user", "assistant", "user", "assistant"}, {"Hi", "Hello", "1+1?", "2"}, {0, 2, 4});
  const auto rejected =
      Conversations({"user", "assistant", "user", "assistant"}, {"Hi", "Go", "1+1?", "3"}, {0, 2, 4});
  const std::string path = WriteParquet(
      {"prompt", "chosen", "rejected", "margin"},
      {Strings({"Hi", "1+1?"}), chosen, rejected, Column<arrow::FloatBuilder, float>({1.5f, std::nullopt})});
  RecordSource source;
  source.add_path(path);
  const auto pairs = ReadPreferences(source);
  PLUMB_ASSERT_OK(pairs);
  ASSERT_EQ(pairs->size(), 2);
  const PreferenceExample& pair = pairs->at(1);
  EXPECT_EQ(std::get<1>(pair.prompt).at(0).content, "1+1?");
  EXPECT_EQ(std::get<1>(pair.chosen).at(0).content, "2");
  EXPECT_EQ(std::get<1>(pair.rejected).at(0).role, "assistant");
  EXPECT_EQ(pairs->at(0).margin, 1.5);
  EXPECT_EQ(pair.margin, std::nullopt);
  EXPECT_EQ(pair.where, absl::StrCat(path, "[1]"));
}

TEST(ParquetRecordsTest, StopsWhenTheVisitorHasEnough) {
  int seen = 0;
  PLUMB_EXPECT_OK(ForEachParquetRecord(WriteParquet({"s"}, {Strings({"a", "b", "c", "d"})}),
                                       [&](const Record&, const std::string&) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
}

TEST(ParquetRecordsTest, WhatTheVisitorThrowsIsNotTheFilesFault) {
  const auto visit = [](const Record&, const std::string&) -> absl::StatusOr<bool> {
    throw std::bad_alloc();
  };
  EXPECT_THROW(ForEachParquetRecord(WriteParquet({"s"}, {Strings({"a"})}), visit).IgnoreError(),
               std::bad_alloc);
}

TEST(ParquetRecordsTest, ErrorsAreOneLineThatNamesTheFile) {
  const std::string path = WriteParquet({"s"}, {Strings({"a", "b\xff"})});
  absl::Status status;
  EXPECT_TRUE(Read(path, &status).empty());
  EXPECT_TRUE(absl::StrContains(status.message(), "a.parquet: ")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "UTF8")) << status;
  PLUMB_ASSERT_OK(WriteFileAtomically(path, "[{}]"));
  Read(path, &status);
  EXPECT_TRUE(absl::StrContains(status.message(), "a.parquet: not a whole Parquet file: ")) << status;
  Read("/nowhere/a.parquet", &status);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(status.message(), "/nowhere/a.parquet: ")) << status;
}

TEST(ParquetRecordsTest, AnyDamageIsAnErrorOrRecords) {
  const std::string path = WriteParquet(
      {"s", "l", "b"}, {Strings({"aé", std::nullopt, "ccc"}),
                        Conversations({"user", "assistant", "user"}, {"Hi", "Ho", "x"}, {0, 2, 2, 3}),
                        Column<arrow::BooleanBuilder, bool>({true, false, std::nullopt})});
  const auto bytes = ReadFile(path);
  PLUMB_ASSERT_OK(bytes);
  ForEachMutation(*bytes, 400, [&](const std::string& damaged) {
    PLUMB_ASSERT_OK(WriteFileAtomically(path, damaged));
    absl::Status status;
    Read(path, &status);
    if (status.ok()) return;
    EXPECT_TRUE(absl::StartsWith(status.message(), path)) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "\n")) << status;
  });
}

}  // namespace
}  // namespace plumb
