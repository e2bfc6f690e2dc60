#ifndef PLUMB_COMMON_TENSOR_DTYPE_H_
#define PLUMB_COMMON_TENSOR_DTYPE_H_

#include <c10/core/ScalarType.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// As in `torch_dtype` of config.json: "float32", "bfloat16", "int64", "bool" ...
absl::string_view DtypeName(c10::ScalarType dtype);

// The reverse; "torch.bfloat16" is accepted too.
absl::StatusOr<c10::ScalarType> ParseDtype(absl::string_view name);

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_DTYPE_H_
