#ifndef PLUMB_COMMON_TENSOR_SAFETENSORS_HEADER_H_
#define PLUMB_COMMON_TENSOR_SAFETENSORS_HEADER_H_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// The JSON header of a safetensors file: what it may say, and nothing of files or memory.
struct SafetensorsHeader {
  struct Tensor {
    std::string name;
    c10::ScalarType dtype;
    std::vector<int64_t> shape;
    int64_t begin = 0;  // within the data that follows the header
    int64_t end = 0;
  };
  std::vector<Tensor> tensors;  // in the order of their data, end to end from 0
  std::map<std::string, std::string> metadata;
};

// Every size is checked against `data_size`, the bytes that follow the header: offsets and shapes of what
// this returns can be trusted.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view text, int64_t data_size);

// The reverse, without the padding; an error when a name or a metadata string is not UTF-8.
absl::StatusOr<std::string> PrintSafetensorsHeader(const SafetensorsHeader& header);

// weight_map of an index: tensor name -> file name, which is that of a file beside the index.
absl::StatusOr<std::map<std::string, std::string>> ParseSafetensorsIndex(absl::string_view text);
absl::StatusOr<std::string> PrintSafetensorsIndex(const std::map<std::string, std::string>& weight_map,
                                                  int64_t total_size);

// "BF16"; empty for a dtype that the format does not have.
absl::string_view SafetensorsDtypeName(c10::ScalarType dtype);

// A name from a file as a message may show it: in quotes, on one line, not too long.
std::string Quoted(absl::string_view name);

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_SAFETENSORS_HEADER_H_
