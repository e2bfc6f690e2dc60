#ifndef PLUMB_COMMON_DATA_PARQUET_RECORDS_H_
#define PLUMB_COMMON_DATA_PARQUET_RECORDS_H_

#include <string>

#include "absl/status/status.h"
#include "common/data/record.h"

namespace plumb {

// ForEachRecord() of a Parquet file. Columns (and fields within them) of types that JSON has no like of, such
// as dates and binary data, are left out.
absl::Status ForEachParquetRecord(const std::string& path, RecordVisitor visit);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_PARQUET_RECORDS_H_
