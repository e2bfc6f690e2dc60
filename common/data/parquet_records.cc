#include "common/data/parquet_records.h"

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <parquet/arrow/reader.h>
#include <parquet/properties.h>

#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr int64_t kRowsAtOnce = 1024;

absl::Status DamagedError(const std::string& path, absl::string_view message) {
  return absl::DataLossError(
      absl::StrCat(path, ": not a whole Parquet file: ", message.substr(0, message.find('\n'))));
}

Record AsRecord(const arrow::Array& array, int64_t row);

template <typename Array>
Record Scalar(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

template <typename Array>
Record Text(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).GetView(row);
}

// Also of a map, which is a list of {key, value}.
template <typename Array>
Record List(const arrow::Array& array, int64_t row) {
  const auto& list = static_cast<const Array&>(array);
  Record::array_t values;
  const int64_t begin = list.value_offset(row);
  for (int64_t i = begin; i < begin + list.value_length(row); ++i) {
    values.push_back(AsRecord(*list.values(), i));
    if (values.back().is_discarded()) return Record::value_t::discarded;
  }
  return values;
}

Record Struct(const arrow::StructArray& array, int64_t row) {
  Record::object_t object;
  for (int i = 0; i < array.num_fields(); ++i) {
    Record value = AsRecord(*array.field(i), row);
    if (!value.is_discarded()) object.emplace_back(array.struct_type()->field(i)->name(), std::move(value));
  }
  return object;
}

// Discarded when the type has no like in JSON.
Record AsRecord(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return Record();
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Scalar<arrow::BooleanArray>(array, row);
    case arrow::Type::INT8:
      return Scalar<arrow::Int8Array>(array, row);
    case arrow::Type::INT16:
      return Scalar<arrow::Int16Array>(array, row);
    case arrow::Type::INT32:
      return Scalar<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return Scalar<arrow::Int64Array>(array, row);
    case arrow::Type::UINT8:
      return Scalar<arrow::UInt8Array>(array, row);
    case arrow::Type::UINT16:
      return Scalar<arrow::UInt16Array>(array, row);
    case arrow::Type::UINT32:
      return Scalar<arrow::UInt32Array>(array, row);
    case arrow::Type::UINT64:
      return Scalar<arrow::UInt64Array>(array, row);
    case arrow::Type::FLOAT:
      return Scalar<arrow::FloatArray>(array, row);
    case arrow::Type::DOUBLE:
      return Scalar<arrow::DoubleArray>(array, row);
    case arrow::Type::STRING:
      return Text<arrow::StringArray>(array, row);
    case arrow::Type::LARGE_STRING:
      return Text<arrow::LargeStringArray>(array, row);
    case arrow::Type::STRING_VIEW:
      return Text<arrow::StringViewArray>(array, row);
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return List<arrow::ListArray>(array, row);
    case arrow::Type::LARGE_LIST:
      return List<arrow::LargeListArray>(array, row);
    case arrow::Type::FIXED_SIZE_LIST:
      return List<arrow::FixedSizeListArray>(array, row);
    case arrow::Type::STRUCT:
      return Struct(static_cast<const arrow::StructArray&>(array), row);
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return AsRecord(*dictionary.dictionary(), dictionary.GetValueIndex(row));
    }
    case arrow::Type::EXTENSION:
      return AsRecord(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
    default:
      return Record::value_t::discarded;
  }
}

// What `read` gives. A damaged file makes Parquet's decoders throw.
template <typename Read>
auto Guarded(const std::string& path, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::exception& exception) {
    return DamagedError(path, exception.what());
  }
}

absl::StatusOr<std::unique_ptr<parquet::arrow::FileReader>> OpenFile(const std::string& path) {
  auto file = arrow::io::ReadableFile::Open(path);
  if (!file.ok()) return absl::NotFoundError(absl::StrCat(path, ": ", file.status().message()));
  parquet::arrow::FileReaderBuilder builder;
  const arrow::Status opened = builder.Open(*std::move(file));
  if (!opened.ok()) return DamagedError(path, opened.message());
  parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_batch_size(kRowsAtOnce);
  properties.set_pre_buffer(false);
  auto reader = builder.properties(properties)->Build();
  if (!reader.ok()) return DamagedError(path, reader.status().message());
  return *std::move(reader);
}

absl::StatusOr<std::unique_ptr<arrow::RecordBatchReader>> ReadBatches(const std::string& path,
                                                                      parquet::arrow::FileReader* file) {
  auto batches = file->GetRecordBatchReader();
  if (!batches.ok()) return DamagedError(path, batches.status().message());
  return *std::move(batches);
}

// Null after the last ones.
absl::StatusOr<std::shared_ptr<arrow::StructArray>> NextRows(const std::string& path,
                                                             arrow::RecordBatchReader* reader) {
  std::shared_ptr<arrow::RecordBatch> batch;
  arrow::Status status = reader->ReadNext(&batch);
  if (status.ok() && batch != nullptr) status = batch->ValidateFull();  // also that texts are UTF-8
  if (!status.ok()) return DamagedError(path, status.message());
  if (batch == nullptr) return nullptr;
  auto rows = batch->ToStructArray();
  if (!rows.ok()) return DamagedError(path, rows.status().message());
  return *std::move(rows);
}

}  // namespace

absl::Status ForEachParquetRecord(const std::string& path, RecordVisitor visit) {
  PLUMB_ASSIGN_OR_RETURN(const auto file, Guarded(path, [&] { return OpenFile(path); }));
  PLUMB_ASSIGN_OR_RETURN(const auto batches, Guarded(path, [&] { return ReadBatches(path, file.get()); }));
  for (int64_t index = 0;;) {
    PLUMB_ASSIGN_OR_RETURN(const auto rows, Guarded(path, [&] { return NextRows(path, batches.get()); }));
    if (rows == nullptr) return absl::OkStatus();
    for (int64_t row = 0; row < rows->length(); ++row) {
      PLUMB_ASSIGN_OR_RETURN(const bool more,
                             visit(Struct(*rows, row), absl::StrCat(path, "[", index++, "]")));
      if (!more) return absl::OkStatus();
    }
  }
}

}  // namespace plumb
