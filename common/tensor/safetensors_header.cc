#include "common/tensor/safetensors_header.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

using nlohmann::json;

constexpr absl::string_view kMetadataKey = "__metadata__";
constexpr int kMaxDepth = 3;           // {name: {"shape": [...]}}
constexpr size_t kMaxDimensions = 64;  // what TensorIterator takes

struct FormatDtype {
  absl::string_view name;
  c10::ScalarType dtype;
};
constexpr FormatDtype kDtypes[] = {
    {"BF16", c10::kBFloat16},
    {"F16", c10::kHalf},
    {"F32", c10::kFloat},
    {"F64", c10::kDouble},
    {"I8", c10::kChar},
    {"I16", c10::kShort},
    {"I32", c10::kInt},
    {"I64", c10::kLong},
    {"U8", c10::kByte},
    {"U16", c10::kUInt16},
    {"U32", c10::kUInt32},
    {"U64", c10::kUInt64},
    {"BOOL", c10::kBool},
    {"F8_E4M3", c10::kFloat8_e4m3fn},
    {"F8_E5M2", c10::kFloat8_e5m2},
};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// nlohmann::json would keep the last of two equal keys, and nest as deep as memory goes.
absl::StatusOr<json> ParseStrictly(absl::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::string repeated;
  bool too_deep = false;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    too_deep |= depth > kMaxDepth;
    return depth <= kMaxDepth;
  };
  json parsed;
  try {
    parsed = json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& error) {
    return Invalid("not JSON: ", Quoted(error.what()));
  }
  if (too_deep) return Invalid("JSON nested deeper than ", kMaxDepth);
  if (!repeated.empty()) return Invalid(Quoted(repeated), " is there twice");
  if (!parsed.is_object()) return Invalid("expected a JSON object");
  return parsed;
}

absl::StatusOr<std::map<std::string, std::string>> ReadStrings(const json& object) {
  if (!object.is_object()) return Invalid("expected a JSON object");
  std::map<std::string, std::string> strings;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) return Invalid(Quoted(key), ": expected a string");
    strings[key] = value.get<std::string>();
  }
  return strings;
}

std::optional<std::vector<int64_t>> ReadSizes(const json& array) {
  if (!array.is_array()) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const json& value : array) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > INT64_MAX) return std::nullopt;
    sizes.push_back(value.get<int64_t>());
  }
  return sizes;
}

std::string Bracketed(const std::vector<int64_t>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

absl::StatusOr<c10::ScalarType> ReadDtype(const json& value) {
  if (!value.is_string()) return Invalid("dtype: expected a string");
  for (const FormatDtype& known : kDtypes) {
    if (value.get_ref<const std::string&>() == known.name) return known.dtype;
  }
  return Invalid("dtype ", Quoted(value.get<std::string>()), " is not supported");
}

// Bytes of a tensor. A size of 0 must not hide the overflow of the others: strides are their products.
std::optional<int64_t> ByteSize(const std::vector<int64_t>& shape, c10::ScalarType dtype) {
  int64_t bytes = c10::elementSize(dtype);
  bool empty = false;
  for (const int64_t size : shape) {
    empty |= size == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

absl::StatusOr<SafetensorsHeader::Tensor> ReadTensor(const json& object) {
  if (!object.is_object()) return Invalid("expected {\"dtype\", \"shape\", \"data_offsets\"}");
  for (const auto& [key, value] : object.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return Invalid("unknown key ", Quoted(key));
  }
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!object.contains(key)) return Invalid("no ", key);
  }
  SafetensorsHeader::Tensor tensor;
  PLUMB_ASSIGN_OR_RETURN(tensor.dtype, ReadDtype(object["dtype"]));
  const auto shape = ReadSizes(object["shape"]);
  if (!shape.has_value()) return Invalid("shape: expected a list of sizes");
  if (shape->size() > kMaxDimensions) {
    return Invalid("shape has ", shape->size(), " dimensions, at most ", kMaxDimensions, " are supported");
  }
  const auto offsets = ReadSizes(object["data_offsets"]);
  if (!offsets.has_value() || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    return Invalid("data_offsets: expected [begin, end]");
  }
  tensor.shape = *shape;
  tensor.begin = (*offsets)[0];
  tensor.end = (*offsets)[1];
  const std::optional<int64_t> bytes = ByteSize(*shape, tensor.dtype);
  if (!bytes.has_value()) return Invalid("shape ", Bracketed(*shape), " is too large");
  if (*bytes != tensor.end - tensor.begin) {
    return Invalid("shape ", Bracketed(*shape), " needs ", *bytes, " bytes, data_offsets ",
                   Bracketed(*offsets), " hold ", tensor.end - tensor.begin);
  }
  return tensor;
}

absl::Status InTensor(absl::string_view name, const absl::Status& status) {
  return Invalid("tensor ", Quoted(name), ": ", status.message());
}

// The data must be used up from its first to its last byte, none of it twice.
absl::Status CheckLayout(const std::vector<SafetensorsHeader::Tensor>& tensors, int64_t data_size) {
  int64_t end = 0;
  for (const auto& tensor : tensors) {
    if (tensor.end > data_size) {
      return InTensor(tensor.name, Invalid("data ends at byte ", tensor.end, ", but the file has ", data_size,
                                           " bytes of data; is it cut off?"));
    }
    if (tensor.begin != end) {
      return InTensor(tensor.name,
                      Invalid("data begins at byte ", tensor.begin, " where ", end,
                              " is expected: ", tensor.begin < end ? "tensors overlap" : "there is a gap"));
    }
    end = tensor.end;
  }
  if (end != data_size) {
    return Invalid(data_size - end, " bytes after the last tensor belong to none");
  }
  return absl::OkStatus();
}

// dump() throws on what is not UTF-8.
template <typename Json>
absl::StatusOr<std::string> Print(const Json& value, int indent) {
  try {
    return value.dump(indent);
  } catch (const json::exception&) {
    return Invalid("a name or a metadata string is not UTF-8");
  }
}

}  // namespace

std::string Quoted(absl::string_view name) {
  constexpr size_t kMaxShown = 200;
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(name.substr(0, kMaxShown)),
                      name.size() > kMaxShown ? "..." : "", "\"");
}

absl::string_view SafetensorsDtypeName(c10::ScalarType dtype) {
  for (const FormatDtype& known : kDtypes) {
    if (known.dtype == dtype) return known.name;
  }
  return "";
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view text, int64_t data_size) {
  PLUMB_ASSIGN_OR_RETURN(const json parsed, ParseStrictly(text));
  SafetensorsHeader header;
  for (const auto& [name, value] : parsed.items()) {
    if (name == kMetadataKey) {
      auto metadata = ReadStrings(value);
      if (!metadata.ok()) return Invalid(kMetadataKey, ": ", metadata.status().message());
      header.metadata = *std::move(metadata);
      continue;
    }
    auto tensor = ReadTensor(value);
    if (!tensor.ok()) return InTensor(name, tensor.status());
    tensor->name = name;
    header.tensors.push_back(*std::move(tensor));
  }
  std::sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  PLUMB_RETURN_IF_ERROR(CheckLayout(header.tensors, data_size));
  return header;
}

absl::StatusOr<std::string> PrintSafetensorsHeader(const SafetensorsHeader& header) {
  nlohmann::ordered_json printed = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) printed[std::string(kMetadataKey)] = header.metadata;
  for (const auto& tensor : header.tensors) {
    // push_back instead of []: the latter searches all the names before.
    printed.push_back({tensor.name,
                       {{"dtype", SafetensorsDtypeName(tensor.dtype)},
                        {"shape", tensor.shape},
                        {"data_offsets", {tensor.begin, tensor.end}}}});
  }
  return Print(printed, -1);
}

absl::StatusOr<std::map<std::string, std::string>> ParseSafetensorsIndex(absl::string_view text) {
  PLUMB_ASSIGN_OR_RETURN(const json parsed, ParseStrictly(text));
  if (!parsed.contains("weight_map")) return Invalid("no weight_map");
  auto weight_map = ReadStrings(parsed["weight_map"]);
  if (!weight_map.ok()) return Invalid("weight_map: ", weight_map.status().message());
  for (const auto& [name, file] : *weight_map) {
    // An index must not reach out of its folder.
    if (file.empty() || file == "." || file == ".." || file.find('/') != file.npos ||
        file.find('\0') != file.npos) {
      return Invalid("weight_map: ", Quoted(name), ": ", Quoted(file),
                     " is not the name of a file beside it");
    }
  }
  return weight_map;
}

absl::StatusOr<std::string> PrintSafetensorsIndex(const std::map<std::string, std::string>& weight_map,
                                                  int64_t total_size) {
  const json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
  PLUMB_ASSIGN_OR_RETURN(const std::string text, Print(index, 2));
  return text + "\n";
}

}  // namespace plumb
