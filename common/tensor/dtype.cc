#include "common/tensor/dtype.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plumb {
namespace {

struct NamedDtype {
  c10::ScalarType dtype;
  absl::string_view name;
};

constexpr NamedDtype kDtypes[] = {
    {c10::kFloat, "float32"},
    {c10::kBFloat16, "bfloat16"},
    {c10::kHalf, "float16"},
    {c10::kDouble, "float64"},
    {c10::kLong, "int64"},
    {c10::kInt, "int32"},
    {c10::kShort, "int16"},
    {c10::kChar, "int8"},
    {c10::kByte, "uint8"},
    {c10::kUInt16, "uint16"},
    {c10::kUInt32, "uint32"},
    {c10::kUInt64, "uint64"},
    {c10::kBool, "bool"},
    {c10::kFloat8_e4m3fn, "float8_e4m3fn"},
    {c10::kFloat8_e5m2, "float8_e5m2"},
};

}  // namespace

absl::string_view DtypeName(c10::ScalarType dtype) {
  for (const NamedDtype& known : kDtypes) {
    if (known.dtype == dtype) return known.name;
  }
  return c10::toString(dtype);
}

absl::StatusOr<c10::ScalarType> ParseDtype(absl::string_view name) {
  const absl::string_view plain = absl::StripPrefix(name, "torch.");
  for (const NamedDtype& known : kDtypes) {
    if (known.name == plain) return known.dtype;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown dtype \"", name, "\": expected float32, bfloat16, float16 or float64"));
}

}  // namespace plumb
