#ifndef PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_
#define PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace plumb {

struct CommandResult {
  double value = 0;
  std::map<std::string, double> gradient;  // by parameter
  std::vector<double> constraints;
};

// Runs a command line as a shell does, with `input` on standard input, and reads the last line that it
// printed: a number, or an object of StudyCommand's form. Whatever a command may do is a failure that says
// what it was: another exit code than 0 (with the last line of standard error), a signal, no value, or a
// number that is NaN or an infinity, more than 64 MiB of output, more than `time_limit_seconds`; it and what
// it started are then killed. A failure is a DataLossError; a CancelledError means that SIGINT or SIGTERM
// came meanwhile, and an InternalError that no process could be started.
absl::StatusOr<CommandResult> RunCommand(const std::string& command, const std::string& input,
                                         double time_limit_seconds);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_
