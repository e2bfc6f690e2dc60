#ifndef PLUMB_COMMON_TENSOR_SHAPE_H_
#define PLUMB_COMMON_TENSOR_SHAPE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Stands for any size in an expected shape; printed as "*".
inline constexpr int64_t kAny = -1;

std::string ShapeString(at::IntArrayRef shape);  // "[64, 32]"

// CheckShape("q_proj.weight", tensor, {64, kAny}): an error such as
// "q_proj.weight: shape [32, 48], expected [64, *]".
absl::Status CheckShape(absl::string_view name, const at::Tensor& tensor, at::IntArrayRef expected);

// "q_proj.weight: dtype float16, expected bfloat16".
absl::Status CheckDtype(absl::string_view name, const at::Tensor& tensor, at::ScalarType expected);

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_SHAPE_H_
