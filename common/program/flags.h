#ifndef PLUMB_COMMON_PROGRAM_FLAGS_H_
#define PLUMB_COMMON_PROGRAM_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Flags are gflags' (DEFINE_string, DEFINE_bool ... in a .cc file), typed --name=value, --name value, --name
// or
// --noname for a bool. They hold what belongs to the process; what belongs to a run is in its recipe.

// What gflags lacks: a flag that may be given many times. Make it a variable at namespace scope in a .cc
// file; `name` and `help` must outlive the program.
class RepeatedFlag {
 public:
  RepeatedFlag(const char* name, const char* help);
  RepeatedFlag(const RepeatedFlag&) = delete;
  RepeatedFlag& operator=(const RepeatedFlag&) = delete;

  const std::vector<std::string>& values() const { return values_; }
  void Add(std::string value) { values_.push_back(std::move(value)); }
  const char* name() const { return name_; }
  const char* help() const { return help_; }

 private:
  const char* name_;
  const char* help_;
  std::vector<std::string> values_;
};

struct ParsedFlags {
  bool help = false;                   // --help was among them; the rest was not looked at
  std::vector<std::string> arguments;  // what is no flag, in order; all after "--"
};

// Sets the flags of this program. An unknown name is an error that tells the nearest one; a value of the
// wrong type is an error that tells the right type.
absl::StatusOr<ParsedFlags> ParseFlags(int argc, const char* const* argv);

// The flags of this program with their defaults, for --help: a line each, sorted by name. Not those of gflags
// and glog themselves.
std::string DescribeFlags();

}  // namespace plumb

#endif  // PLUMB_COMMON_PROGRAM_FLAGS_H_
