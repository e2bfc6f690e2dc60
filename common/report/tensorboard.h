#ifndef PLUMB_COMMON_REPORT_TENSORBOARD_H_
#define PLUMB_COMMON_REPORT_TENSORBOARD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// CRC-32C (Castagnoli), as the TFRecord format uses it before masking.
uint32_t Crc32c(absl::string_view bytes);

// One TFRecord: length, masked CRC of the length, the bytes, masked CRC of the bytes; all little-endian.
std::string TfRecord(absl::string_view bytes);

// Scalars of one step as an event record; `seconds` is the wall time since 1970.
std::string ScalarEventRecord(double seconds, int64_t step, const std::map<std::string, double>& values);

// The record that every event file begins with.
std::string FileVersionRecord(double seconds);

}  // namespace plumb

#endif  // PLUMB_COMMON_REPORT_TENSORBOARD_H_
