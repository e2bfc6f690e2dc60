#include "alignment/selection/sandbox.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

constexpr char kPath[] = "/usr/local/bin:/usr/bin:/bin";
constexpr int kUserInside = 1000;  // not 0: a program of root's would get the namespace's rights back

// What children say before they end, or are replaced by the command: the first one to speak is right.
struct Message {
  const char*
      failed;  // what could not be done, valid in the parent too; null: `status` is how the command ended
  int error;
  int status;
  bool timed_out;
};

// All that the children need, made before the fork: after it, no memory is asked for.
struct Plan {
  std::string program;
  std::vector<std::string> environment;
  std::vector<const char*> arguments_pointers, environment_pointers;
  std::string folder, user_map, group_map;
  SandboxLimits limits;
  int output = -1, messages = -1;  // to write to
};

[[noreturn]] void Tell(const Plan& plan, const Message& message) {
  _exit(write(plan.messages, &message, sizeof(message)) == sizeof(message) ? 0 : 1);
}

[[noreturn]] void Fail(const Plan& plan, const char* what) { Tell(plan, {what, errno, 0, false}); }

void Require(const Plan& plan, bool done, const char* what) {
  if (!done) Fail(plan, what);
}

bool WriteTo(const char* path, absl::string_view text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

bool Limit(int resource, int64_t value) {
  const rlimit limit = {static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

bool SetMountAttributes(const char* path, unsigned flags, uint64_t set, uint64_t clear) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  return syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof(attributes)) == 0;
}

// In the namespaces, with what protects others from them: limits, and nothing open but its output.
[[noreturn]] void BecomeCommand(const Plan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) signal(number, SIG_DFL);
  const SandboxLimits& limits = plan.limits;
  Require(plan,
          Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_FSIZE, limits.file_bytes) &&
              Limit(RLIMIT_NPROC, limits.processes) && Limit(RLIMIT_NOFILE, 256) &&
              Limit(RLIMIT_CPU, static_cast<int64_t>(std::ceil(limits.seconds)) + 1) &&
              Limit(RLIMIT_AS, limits.memory_bytes),
          "set limits");
  Require(plan, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up new rights");
  const int input = open("/dev/null", O_RDONLY);
  Require(plan, input >= 0 && dup2(input, 0) == 0 && dup2(plan.output, 1) == 1 && dup2(plan.output, 2) == 2,
          "redirect its output");
  Require(plan, syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0, "close files");
  execve(plan.program.c_str(), const_cast<char* const*>(plan.arguments_pointers.data()),
         const_cast<char* const*>(plan.environment_pointers.data()));
  Fail(plan, "run the command");
}

// The first process of the namespaces: with its end the kernel ends all others. It starts the command and
// waits for it, since signals mean less to a first process than a command expects.
[[noreturn]] void StartCommand(const Plan& plan) {
  Require(plan, prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "bind its life to its parent's");
  Require(plan, setsid() >= 0, "start a session");
  // All that is mounted becomes read-only, but the folder.
  const char* folder = plan.folder.c_str();
  Require(plan, mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "part from others' mounts");
  Require(plan, mount(folder, folder, nullptr, MS_BIND, nullptr) == 0, "mount the folder");
  Require(plan, SetMountAttributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0), "make mounts read-only");
  Require(plan, SetMountAttributes(folder, 0, 0, MOUNT_ATTR_RDONLY), "make the folder writable");
  Require(plan, chdir(folder) == 0, "enter the folder");
  const pid_t command = fork();
  Require(plan, command >= 0, "fork");
  if (command == 0) BecomeCommand(plan);
  close(plan.output);
  Message message = {nullptr, 0, 0, false};
  while (wait(&message.status) != command) continue;  // others that lost their parents end here, too
  Tell(plan, message);
}

// The process between: makes the namespaces and ends what runs in them in time.
[[noreturn]] void Supervise(const Plan& plan, pid_t parent) {
  Require(plan, prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent,
          "bind its life to its parent's");
  Require(plan, setsid() >= 0, "start a session");
  // A child's end is waited for as a signal, so that time can be.
  sigset_t child_ends;
  sigemptyset(&child_ends);
  sigaddset(&child_ends, SIGCHLD);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &child_ends, nullptr);
  Require(plan, unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC) == 0,
          "make namespaces");
  Require(plan,
          WriteTo("/proc/self/setgroups", "deny") && WriteTo("/proc/self/uid_map", plan.user_map) &&
              WriteTo("/proc/self/gid_map", plan.group_map),
          "map its user");
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double deadline = now.tv_sec + 1e-9 * now.tv_nsec + plan.limits.seconds;
  const pid_t command = fork();
  Require(plan, command >= 0, "fork");
  if (command == 0) StartCommand(plan);
  close(plan.output);
  Message message = {nullptr, 0, 0, false};
  while (waitpid(command, &message.status, WNOHANG) != command) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double left = deadline - (now.tv_sec + 1e-9 * now.tv_nsec);
    if (left <= 0) {
      kill(command, SIGKILL);
      message.timed_out = waitpid(command, &message.status, 0) == command;
      break;
    }
    timespec wait;
    wait.tv_sec = static_cast<time_t>(left);
    wait.tv_nsec = static_cast<long>((left - std::floor(left)) * 1e9);
    sigtimedwait(&child_ends, nullptr, &wait);
  }
  Tell(plan, message);
}

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (absl::StrContains(name, '/')) return name;
  for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    const std::string path = folder + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return absl::NotFoundError(absl::StrCat(name, ": there is no such program in ", kPath));
}

// Both ends of a pipe, closed with it.
struct Pipe {
  int ends[2] = {-1, -1};
  ~Pipe() {
    Close(0);
    Close(1);
  }
  bool Open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void Close(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
};

// All that comes, of which the first `most` bytes are kept.
std::string ReadToEnd(int fd, int64_t most) {
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer, std::min<int64_t>(count, most - static_cast<int64_t>(text.size())));
  }
}

absl::StatusOr<Plan> MakePlan(const std::vector<std::string>& command, const std::string& folder,
                              const SandboxLimits& limits) {
  if (command.empty()) return absl::InvalidArgumentError("no command to run");
  Plan plan;
  PLUMB_ASSIGN_OR_RETURN(plan.program, FindProgram(command[0]));
  char* absolute = realpath(folder.c_str(), nullptr);
  if (absolute == nullptr) {
    return absl::NotFoundError(absl::StrCat("cannot find ", folder, ": ", std::strerror(errno)));
  }
  plan.folder = absolute;
  free(absolute);
  plan.environment = {absl::StrCat("PATH=", kPath), absl::StrCat("HOME=", plan.folder),
                      absl::StrCat("TMPDIR=", plan.folder), "LANG=C.UTF-8"};
  plan.user_map = absl::StrCat(kUserInside, " ", geteuid(), " 1");
  plan.group_map = absl::StrCat(kUserInside, " ", getegid(), " 1");
  plan.limits = limits;
  return plan;
}

}  // namespace

absl::StatusOr<SandboxResult> RunSandboxed(const std::vector<std::string>& command, const std::string& folder,
                                           const SandboxLimits& limits) {
  PLUMB_ASSIGN_OR_RETURN(Plan plan, MakePlan(command, folder, limits));
  for (const std::string& word : command) plan.arguments_pointers.push_back(word.c_str());
  for (const std::string& variable : plan.environment) plan.environment_pointers.push_back(variable.c_str());
  plan.arguments_pointers.push_back(nullptr);
  plan.environment_pointers.push_back(nullptr);
  Pipe output, messages;
  if (!output.Open() || !messages.Open()) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
  }
  plan.output = output.ends[1];
  plan.messages = messages.ends[1];
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot start a process: ", std::strerror(errno)));
  }
  if (child == 0) Supervise(plan, parent);
  output.Close(1);
  messages.Close(1);
  SandboxResult result;
  result.output = ReadToEnd(output.ends[0], limits.output_bytes);
  const std::string told = ReadToEnd(messages.ends[0], 16 * sizeof(Message));
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  Message message;
  if (told.size() < sizeof(message)) {
    return absl::InternalError(absl::StrCat(plan.program, ": the sandbox ended without a word"));
  }
  std::memcpy(&message, told.data(), sizeof(message));
  if (message.failed != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(plan.program, ": cannot ", message.failed,
                                                      " for the sandbox: ", std::strerror(message.error)));
  }
  result.timed_out = message.timed_out;
  result.exit_code = WIFEXITED(message.status) ? WEXITSTATUS(message.status) : 128 + WTERMSIG(message.status);
  return result;
}

}  // namespace plumb
