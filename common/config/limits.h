#ifndef PLUMB_COMMON_CONFIG_LIMITS_H_
#define PLUMB_COMMON_CONFIG_LIMITS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace plumb {

// What is wrong with one field.
struct LimitViolation {
  std::string path;     // "stage[0].objective[0].dpo.beta"
  std::string problem;  // "-1 is out of range: must be above 0 (default: 0.1)"
  // Where it was read, from 0; line is -1 when it was not read from a text, or is not there at all.
  google::protobuf::TextFormat::ParseLocation location;
};

// Looks at every field that is set, in the order of field numbers: the limits declared beside it
// (limits.proto), numbers that are not finite, strings that are not UTF-8, fields that must be given and are
// not. Ends at the first violation; true when there is none. `locations` (may be null) is what a TextFormat
// parser wrote.
bool FindLimitViolation(const google::protobuf::Message& message,
                        const google::protobuf::TextFormat::ParseInfoTree* locations,
                        LimitViolation* violation);

// The same as a status: "stage[0].objective[0].dpo.beta: -1 is out of range ...".
absl::Status CheckLimits(const google::protobuf::Message& message);

// For the tests of a recipe's .proto: that limits stand on fields that can have them, leave room for a value,
// and are kept by the default, in `type` and every message that it can hold.
absl::Status CheckLimitDeclarations(const google::protobuf::Descriptor& type);

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_LIMITS_H_
