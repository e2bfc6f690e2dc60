#ifndef PLUMB_COMMON_TESTING_SUBPROCESS_H_
#define PLUMB_COMMON_TESTING_SUBPROCESS_H_

#include <string>

namespace plumb {

// How a program ended, and all it wrote.
struct Ended {
  int exit_code = -1;  // 128 + the signal's number when a signal ended it
  std::string output, errors;
};

// Runs a command line as a shell does.
Ended RunCommand(const std::string& command);

// The same, but sends `signal` to the program after so many milliseconds, unless it has ended before. The
// command must be one program, without a pipe or redirection.
Ended RunAndSignal(const std::string& command, int milliseconds, int signal);

}  // namespace plumb

#endif  // PLUMB_COMMON_TESTING_SUBPROCESS_H_
