#include "common/tensor/shape.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/tensor/dtype.h"

namespace plumb {
namespace {

bool Fits(at::IntArrayRef shape, at::IntArrayRef expected) {
  if (shape.size() != expected.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (expected[i] != kAny && shape[i] != expected[i]) return false;
  }
  return true;
}

}  // namespace

std::string ShapeString(at::IntArrayRef shape) {
  const auto print = [](std::string* out, int64_t size) {
    absl::StrAppend(out, size == kAny ? "*" : absl::StrCat(size));
  };
  return absl::StrCat("[", absl::StrJoin(shape.begin(), shape.end(), ", ", print), "]");
}

absl::Status CheckShape(absl::string_view name, const at::Tensor& tensor, at::IntArrayRef expected) {
  if (!tensor.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": missing, expected a tensor of shape ", ShapeString(expected)));
  }
  if (Fits(tensor.sizes(), expected)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": shape ", ShapeString(tensor.sizes()), ", expected ", ShapeString(expected)));
}

absl::Status CheckDtype(absl::string_view name, const at::Tensor& tensor, at::ScalarType expected) {
  if (!tensor.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": missing, expected a tensor of dtype ", DtypeName(expected)));
  }
  if (tensor.scalar_type() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": dtype ", DtypeName(tensor.scalar_type()), ", expected ", DtypeName(expected)));
}

}  // namespace plumb
