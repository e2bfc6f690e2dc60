#ifndef PLUMB_COMMON_DATA_RECORD_H_
#define PLUMB_COMMON_DATA_RECORD_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace plumb {

// A record of a file: an object whose columns keep their order; of a name that comes twice the first counts.
// All strings are valid UTF-8, and values nest no deeper than printing them bears.
using Record = nlohmann::ordered_json;

// Gets a record and its place ("pairs.jsonl:17", "pairs.json[16]", "pairs.parquet[16]"); false: no more.
using RecordVisitor = absl::FunctionRef<absl::StatusOr<bool>(const Record& record, const std::string& where)>;

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_RECORD_H_
