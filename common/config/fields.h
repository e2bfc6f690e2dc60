#ifndef PLUMB_COMMON_CONFIG_FIELDS_H_
#define PLUMB_COMMON_CONFIG_FIELDS_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// What users are told of message types, fields and values that do not exist. Internal to common/config.

// "Dpo has no field 'bta'; did you mean 'beta'?" When no name is near but a field of that very name is
// further down, its path is named; else all valid names are.
std::string UnknownField(const google::protobuf::Descriptor& type, absl::string_view name);

// "'KEEP_STRT' is no value of truncation_mode; did you mean 'KEEP_START'?"
std::string UnknownEnumValue(const google::protobuf::FieldDescriptor& field, absl::string_view value);

// "expected a number", "expected true or false" ...
std::string ExpectedValue(const google::protobuf::FieldDescriptor& field);

// What google::protobuf::TextFormat says of a text for `root`, said as above where it is about a name or
// value.
struct ParserError {
  std::string problem;
  std::string word;  // the name or value in question; TextFormat's place is that of the token after it
};
ParserError ExplainParserError(const google::protobuf::Descriptor& root, absl::string_view error);

// All message types that `type` can hold, itself first.
std::vector<const google::protobuf::Descriptor*> ReachableTypes(const google::protobuf::Descriptor& type);

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_FIELDS_H_
