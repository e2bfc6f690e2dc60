#ifndef PLUMB_COMMON_PROGRAM_RUNFILES_H_
#define PLUMB_COMMON_PROGRAM_RUNFILES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace plumb {

// Files that come with a program (the `data` of its BUILD target), and files that a user names.

// Must be called before the working directory changes; RunProgram does so.
void FindRunfiles(const char* argv0);

// Where Bazel put the files that come with this program; empty when there are none.
const std::string& RunfilesFolder();

// A file that comes with this program: "alignment/recipes/x.textproto", or "@repository/file" of an external
// repository. Empty when it is not there.
std::string ResolveRunfile(absl::string_view path);

// A file to read as a user types it: relative to the working directory, else to the workspace of `bazel run`,
// else a runfile. `path` as it is when nothing is there, so that the error names what was typed.
std::string ResolveUserFile(const std::string& path);

}  // namespace plumb

#endif  // PLUMB_COMMON_PROGRAM_RUNFILES_H_
