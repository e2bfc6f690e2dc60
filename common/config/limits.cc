#include "common/config/limits.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/fields.h"
#include "common/config/limits.pb.h"
#include "common/data/tokenizers/unicode.h"

namespace plumb {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

const Limits& LimitsOf(const FieldDescriptor& field) { return field.options().GetExtension(limits); }

bool IsNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return false;
    default:
      return true;
  }
}

// `index` is -1 for a field that is not repeated. Integers beyond 2^53 are rounded, which no limit minds.
double Number(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& values = *message.GetReflection();
  const bool single = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return single ? values.GetInt32(message, &field) : values.GetRepeatedInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return single ? values.GetInt64(message, &field) : values.GetRepeatedInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return single ? values.GetUInt32(message, &field) : values.GetRepeatedUInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return single ? values.GetUInt64(message, &field) : values.GetRepeatedUInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return single ? values.GetFloat(message, &field) : values.GetRepeatedFloat(message, &field, index);
    default:
      return single ? values.GetDouble(message, &field) : values.GetRepeatedDouble(message, &field, index);
  }
}

double DefaultNumber(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return field.default_value_int32();
    case FieldDescriptor::CPPTYPE_INT64:
      return field.default_value_int64();
    case FieldDescriptor::CPPTYPE_UINT32:
      return field.default_value_uint32();
    case FieldDescriptor::CPPTYPE_UINT64:
      return field.default_value_uint64();
    case FieldDescriptor::CPPTYPE_FLOAT:
      return field.default_value_float();
    default:
      return field.default_value_double();
  }
}

bool Keeps(const Limits& limits, double value) {
  return !(limits.has_min() && value < limits.min()) && !(limits.has_above() && value <= limits.above()) &&
         !(limits.has_max() && value > limits.max()) && !(limits.has_below() && value >= limits.below());
}

// "at least 0 and below 1"
std::string DescribeLimits(const Limits& limits) {
  std::vector<std::string> parts;
  if (limits.has_min()) parts.push_back(absl::StrCat("at least ", limits.min()));
  if (limits.has_above()) parts.push_back(absl::StrCat("above ", limits.above()));
  if (limits.has_max()) parts.push_back(absl::StrCat("at most ", limits.max()));
  if (limits.has_below()) parts.push_back(absl::StrCat("below ", limits.below()));
  return absl::StrJoin(parts, " and ");
}

// Empty when the value is all right.
std::string NumberProblem(const Message& message, const FieldDescriptor& field, int index) {
  const double value = Number(message, field, index);
  const Limits& limits = LimitsOf(field);
  if (std::isfinite(value) && Keeps(limits, value)) return "";
  std::string printed;
  TextFormat::PrintFieldValueToString(message, &field, index, &printed);
  const std::string suffix =
      field.has_default_value() ? absl::StrCat(" (default: ", DefaultNumber(field), ")") : "";
  if (!std::isfinite(value)) return absl::StrCat(printed, " is no finite number", suffix);
  return absl::StrCat(printed, " is out of range: must be ", DescribeLimits(limits), suffix);
}

std::string StringProblem(const Message& message, const FieldDescriptor& field, int index) {
  std::string scratch;
  const Reflection& values = *message.GetReflection();
  const std::string& text = index < 0 ? values.GetStringReference(message, &field, &scratch)
                                      : values.GetRepeatedStringReference(message, &field, index, &scratch);
  if (field.type() == FieldDescriptor::TYPE_BYTES) return "";
  if (!IsValidUtf8(text)) return "is no valid UTF-8 text";
  if (text.find('\0') != std::string::npos) return "holds a NUL character";
  if (text.empty() && LimitsOf(field).required()) return "must not be empty";
  return "";
}

// Where element `index` was read; of a list in brackets TextFormat knows only the first.
TextFormat::ParseLocation LocationOf(const TextFormat::ParseInfoTree* locations, const FieldDescriptor& field,
                                     int index, TextFormat::ParseLocation holder) {
  if (locations == nullptr) return holder;
  const int last = field.is_repeated() ? 0 : -1;
  for (; index >= last; --index) {
    const TextFormat::ParseLocation location = locations->GetLocation(&field, index);
    if (location.line >= 0) return location;
  }
  return holder;
}

// Walks a message and stops at the first violation.
class Walk {
 public:
  explicit Walk(LimitViolation* violation) : violation_(violation) {}

  // A message on the way.
  struct Node {
    const Message& message;
    std::string prefix;  // of its fields' paths; ends with a dot when it is not empty
    const TextFormat::ParseInfoTree* locations;
    TextFormat::ParseLocation location;
    bool partial;  // nothing is required
  };

  bool Visit(const Node& node) {
    const Descriptor& type = *node.message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      if (VisitField(node, *type.field(i))) return true;
    }
    return false;
  }

 private:
  bool VisitField(const Node& node, const FieldDescriptor& field) {
    const Reflection& values = *node.message.GetReflection();
    const std::string path = node.prefix + field.name();
    if (!field.is_repeated() && values.HasField(node.message, &field))
      return VisitValue(node, field, -1, path);
    const int size = field.is_repeated() ? values.FieldSize(node.message, &field) : 0;
    for (int i = 0; i < size; ++i) {
      if (VisitValue(node, field, i, absl::StrCat(path, "[", i, "]"))) return true;
    }
    if (size > 0 || node.partial || !LimitsOf(field).required()) return false;
    *violation_ = {path, field.is_repeated() ? "must be given at least once" : "must be given",
                   node.location};
    return true;
  }

  // `index` is -1 for a field that is not repeated.
  bool VisitValue(const Node& node, const FieldDescriptor& field, int index, const std::string& path) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const Reflection& values = *node.message.GetReflection();
      return Visit({index < 0 ? values.GetMessage(node.message, &field)
                              : values.GetRepeatedMessage(node.message, &field, index),
                    path + ".",
                    node.locations == nullptr ? nullptr : node.locations->GetTreeForNested(&field, index),
                    LocationOf(node.locations, field, index, node.location),
                    node.partial || LimitsOf(field).partial()});
    }
    std::string problem;
    if (IsNumber(field)) problem = NumberProblem(node.message, field, index);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
      problem = StringProblem(node.message, field, index);
    if (problem.empty()) return false;
    *violation_ = {path, problem, LocationOf(node.locations, field, index, node.location)};
    return true;
  }

  LimitViolation* violation_;
};

std::string DeclarationProblem(const FieldDescriptor& field) {
  const Limits& limits = LimitsOf(field);
  const bool bounded = limits.has_min() || limits.has_above() || limits.has_max() || limits.has_below();
  const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated();
  if (bounded && !IsNumber(field)) return "only numbers have a range";
  if (limits.has_min() && limits.has_above()) return "min and above are one too many";
  if (limits.has_max() && limits.has_below()) return "max and below are one too many";
  const double infinity = std::numeric_limits<double>::infinity();
  const double low = limits.has_min() ? limits.min() : limits.has_above() ? limits.above() : -infinity;
  const double high = limits.has_max() ? limits.max() : limits.has_below() ? limits.below() : infinity;
  if (low > high || (low == high && (limits.has_above() || limits.has_below()))) return "leaves no value";
  if (field.has_default_value() && IsNumber(field) && !Keeps(limits, DefaultNumber(field))) {
    return absl::StrCat("the default ", DefaultNumber(field), " is not ", DescribeLimits(limits));
  }
  if (limits.required() && field.has_default_value()) return "is required and has a default";
  if (limits.required() && field.containing_oneof() != nullptr) return "is required but in a oneof";
  if (limits.implied() && (!is_message || field.containing_oneof() != nullptr))
    return "only a message can be implied";
  if (limits.partial() && !is_message) return "only a message can be partial";
  return "";
}

}  // namespace

bool FindLimitViolation(const Message& message, const TextFormat::ParseInfoTree* locations,
                        LimitViolation* violation) {
  return Walk(violation).Visit({message, "", locations, {}, false});
}

absl::Status CheckLimits(const Message& message) {
  LimitViolation violation;
  if (!FindLimitViolation(message, nullptr, &violation)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(violation.path, ": ", violation.problem));
}

absl::Status CheckLimitDeclarations(const Descriptor& type) {
  for (const Descriptor* reached : ReachableTypes(type)) {
    for (int i = 0; i < reached->field_count(); ++i) {
      const std::string problem = DeclarationProblem(*reached->field(i));
      if (!problem.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(reached->field(i)->full_name(), ": ", problem));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace plumb
