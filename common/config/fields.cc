#include "common/config/fields.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/program/nearest_name.h"

namespace plumb {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

std::vector<std::string> ValueNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return names;
}

// The shortest way from `type` down to a field called `name`: "optimizer.adamw.learning_rate"; empty if none.
std::string PathToField(const Descriptor& type, absl::string_view name) {
  std::deque<std::pair<const Descriptor*, std::string>> open = {{&type, ""}};
  std::set<const Descriptor*> seen = {&type};
  while (!open.empty()) {
    const auto [here, prefix] = open.front();
    open.pop_front();
    for (int i = 0; i < here->field_count(); ++i) {
      const FieldDescriptor& field = *here->field(i);
      const std::string path = absl::StrCat(prefix, field.name());
      if (field.name() == name) return path;
      if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || !seen.insert(field.message_type()).second)
        continue;
      open.emplace_back(field.message_type(), absl::StrCat(path, field.is_repeated() ? "[0]." : "."));
    }
  }
  return "";
}

// The fields called `name` of the given type of value, anywhere below `root`: TextFormat tells only the name.
const FieldDescriptor* FindEnumField(const Descriptor& root, absl::string_view name,
                                     absl::string_view wrong_value) {
  const FieldDescriptor* found = nullptr;
  for (const Descriptor* type : ReachableTypes(root)) {
    const FieldDescriptor* field = type->FindFieldByName(std::string(name));
    if (field == nullptr || field->enum_type() == nullptr) continue;
    if (field->enum_type()->FindValueByName(std::string(wrong_value)) == nullptr) found = field;
  }
  return found;
}

std::string Capitalless(absl::string_view sentence) {
  std::string text(sentence);
  if (!text.empty()) text[0] = absl::ascii_tolower(text[0]);
  if (absl::EndsWith(text, ".")) text.pop_back();
  return text;
}

}  // namespace

std::vector<const Descriptor*> ReachableTypes(const Descriptor& type) {
  std::vector<const Descriptor*> types = {&type};
  std::set<const Descriptor*> seen = {&type};
  for (size_t next = 0; next < types.size(); ++next) {
    for (int i = 0; i < types[next]->field_count(); ++i) {
      const Descriptor* below = types[next]->field(i)->message_type();
      if (below != nullptr && seen.insert(below).second) types.push_back(below);
    }
  }
  return types;
}

std::string UnknownField(const Descriptor& type, absl::string_view name) {
  const std::vector<std::string> names = FieldNames(type);
  std::string line = absl::StrCat(type.name(), " has no field '", name, "'");
  if (names.empty()) return line + "; it has none";
  const std::string path = NearestName(name, names).empty() ? PathToField(type, name) : "";
  return line + (path.empty() ? SuggestName(name, names) : absl::StrCat("; did you mean '", path, "'?"));
}

std::string UnknownEnumValue(const FieldDescriptor& field, absl::string_view value) {
  return absl::StrCat("'", value, "' is no value of ", field.name(),
                      SuggestName(value, ValueNames(*field.enum_type())));
}

std::string ExpectedValue(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "expected true or false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "expected a number";
    case FieldDescriptor::CPPTYPE_INT32:
      return "expected an integer from -2147483648 to 2147483647";
    case FieldDescriptor::CPPTYPE_UINT32:
      return "expected an integer from 0 to 4294967295";
    case FieldDescriptor::CPPTYPE_INT64:
      return "expected an integer";
    case FieldDescriptor::CPPTYPE_UINT64:
      return "expected an integer of 0 or more";
    case FieldDescriptor::CPPTYPE_STRING:
      return "expected a string";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("expected one of ", absl::StrJoin(ValueNames(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return absl::StrCat("expected a message ", field.message_type()->name(), " { ... }");
  }
  return "expected a value";
}

ParserError ExplainParserError(const Descriptor& root, absl::string_view error) {
  const std::vector<std::string> parts = absl::StrSplit(error, '"');  // names stand at odd places
  if (parts.size() >= 5 && absl::StartsWith(error, "Message type \"")) {
    for (const Descriptor* type : ReachableTypes(root)) {
      if (type->full_name() == parts[1]) return {UnknownField(*type, parts[3]), parts[3]};
    }
  }
  if (parts.size() >= 5 && absl::StartsWith(error, "Unknown enumeration value of \"")) {
    const FieldDescriptor* field = FindEnumField(root, parts[3], parts[1]);
    if (field != nullptr) return {UnknownEnumValue(*field, parts[1]), parts[1]};
  }
  if (parts.size() >= 5 && absl::StartsWith(error, "Invalid value for boolean field \"")) {
    return {absl::StrCat(parts[1], " is '", parts[3], "'; expected true or false"), parts[3]};
  }
  if (parts.size() >= 7 && absl::StrContains(error, "another member of oneof")) {
    return {absl::StrCat("'", parts[1], "' and '", parts[3], "' exclude each other; give one of them"),
            parts[1]};
  }
  if (parts.size() >= 3 && absl::StrContains(error, "is specified multiple times")) {
    return {absl::StrCat("'", parts[1], "' is given twice"), parts[1]};
  }
  if (parts.size() >= 3 && absl::StartsWith(error, "Extension \"")) {
    return {absl::StrCat("'[", parts[1], "]' is no extension that recipes have"), parts[1]};
  }
  return {Capitalless(error), ""};
}

}  // namespace plumb
