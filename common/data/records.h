#ifndef PLUMB_COMMON_DATA_RECORDS_H_
#define PLUMB_COMMON_DATA_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/data/data.pb.h"
#include "common/data/record.h"

namespace plumb {

// The files that a path as users write it names: a file, a glob, or "@demo_data/..." (also a glob) of what
// comes with the program. A path that names nothing is an error.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path);

// Whether a name ends in .jsonl, .json, .jsonl.gz, .json.gz or .parquet.
bool HasRecords(absl::string_view path);

// Calls `visit` with the records of a file in their order. JSON lines and Parquet are read piece by piece, a
// .json array as a whole. Errors are one line that begins with the file and the place in it.
absl::Status ForEachRecord(const std::string& path, RecordVisitor visit);

// The same of all files that a recipe names, in their order: the first max_examples records. Naming none is
// an error.
absl::Status ForEachRecord(const RecordSource& source, RecordVisitor visit);

// The bytes of a file, unpacked when its name ends in .gz; an error when they are not UTF-8.
absl::StatusOr<std::string> ReadText(const std::string& path);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_RECORDS_H_
