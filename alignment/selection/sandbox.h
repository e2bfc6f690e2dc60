#ifndef PLUMB_ALIGNMENT_SELECTION_SANDBOX_H_
#define PLUMB_ALIGNMENT_SELECTION_SANDBOX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace plumb {

struct SandboxLimits {
  double seconds = 5;                       // by the clock
  int64_t memory_bytes = int64_t{1} << 30;  // address space of each process
  int64_t processes = 64;                   // at once; the kernel does not hold root to it
  int64_t file_bytes = int64_t{16} << 20;   // of each file that is written
  int64_t output_bytes = int64_t{1} << 20;  // kept of what is written to standard output and error
};

struct SandboxResult {
  bool timed_out = false;
  int exit_code = -1;  // 128 + the signal's number when a signal ended it
  std::string output;  // standard output and error, as they came
};

// Runs a program that may do anything, such as one that a language model wrote, on Linux: in namespaces of
// its own for users, processes, mounts, IPC and the network, so that
//   - it has no network, not even the machine's own;
//   - it can write to `folder` alone (where it starts, and what $HOME is), and has none of the rights of
//   root;
//   - it ends after `seconds`, and with it all processes that it started, wherever they went: they all end
//   with the
//     first one, also when that one ends by itself, and when this process is killed.
// It reads what this user may read, and standard input is empty; sockets in the file system can be reached.
// The first word of `command` is a path, or a name in /usr/local/bin, /usr/bin or /bin. An error is that it
// could not be started so (containers often forbid namespaces): nothing runs with less protection than this.
absl::StatusOr<SandboxResult> RunSandboxed(const std::vector<std::string>& command, const std::string& folder,
                                           const SandboxLimits& limits);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_SELECTION_SANDBOX_H_
