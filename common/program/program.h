#ifndef PLUMB_COMMON_PROGRAM_PROGRAM_H_
#define PLUMB_COMMON_PROGRAM_PROGRAM_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// The whole of a program's main():
//
//   int main(int argc, char** argv) {
//     return plumb::RunProgram(argc, argv, "train --recipe=FILE\nTrains the model of a recipe.", [] { ... });
//   }
//
// Reads the flags (common/program/flags.h), sends logs to standard error as plain lines, goes to the folder
// in which the user typed `bazel run`, and runs `body`. `usage` is what --help prints above the flags; its
// first line is the command line. Exit codes:
//   0    done
//   1    a bug of ours: an exception that nobody caught (a failed CHECK aborts with a stack)
//   2    an error of the user's, or memory ran out: one line "error: ..."
//   130  stopped by SIGINT or SIGTERM: `body` returned absl::CancelledError, printed without "error:"
int RunProgram(int argc, char** argv, absl::string_view usage, const std::function<absl::Status()>& body);

// The same for a program that takes arguments which are no flags: they are handed to `body`, in order.
int RunProgram(int argc, char** argv, absl::string_view usage,
               const std::function<absl::Status(const std::vector<std::string>& arguments)>& body);

}  // namespace plumb

#endif  // PLUMB_COMMON_PROGRAM_PROGRAM_H_
