#ifndef PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_
#define PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_

#include <string>

#include "absl/status/statusor.h"

namespace plumb {

// Runs a command line as a shell does, with `input` on standard input, and reads the last line that it
// printed as a number. Whatever a command may do is a failure that says what it was: another exit code than 0
// (with the last line of standard error), a signal, no number, NaN or an infinity, more than 64 MiB of
// output, more than `time_limit_seconds`; it and what it started are then killed. A failure is a
// DataLossError; a CancelledError means that SIGINT or SIGTERM came meanwhile, and an InternalError that no
// process could be started.
absl::StatusOr<double> RunValueCommand(const std::string& command, const std::string& input,
                                       double time_limit_seconds);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_EXTERNAL_COMMAND_H_
