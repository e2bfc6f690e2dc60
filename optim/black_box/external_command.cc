#include "optim/black_box/external_command.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/program/interrupt.h"

namespace plumb {
namespace {

constexpr int64_t kMostOutput = int64_t{64} << 20;
constexpr size_t kTail = 1 << 16;  // as much of an output as is looked at

// A file without a name: a pipe would block on a program that does not read, or that leaves others behind.
class UnnamedFile {
 public:
  UnnamedFile() : file_(std::tmpfile()) {}
  ~UnnamedFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;

  bool ok() const { return file_ != nullptr; }
  int fd() const { return fileno(file_); }
  int64_t Size() const {
    struct stat status;
    return fstat(fd(), &status) == 0 ? status.st_size : 0;
  }
  bool Write(const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), file_) == text.size() && std::fflush(file_) == 0 &&
           lseek(fd(), 0, SEEK_SET) == 0;
  }
  // The last line that is not empty.
  std::string LastLine() const {
    std::string tail(std::min<int64_t>(Size(), kTail), '\0');
    const ssize_t count = pread(fd(), tail.data(), tail.size(), Size() - tail.size());
    tail.resize(std::max<ssize_t>(0, count));
    const std::string text(absl::StripAsciiWhitespace(tail));
    return std::string(absl::StripAsciiWhitespace(text.substr(text.rfind('\n') + 1)));
  }

 private:
  std::FILE* file_;
};

// One line for a journal and a report, whatever bytes a program prints.
std::string Printable(std::string text) {
  if (text.size() > 200) text = text.substr(0, 200) + "...";
  for (char& c : text) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return text;
}

// In the child, where nothing but system calls is safe.
[[noreturn]] void Execute(const char* command, int in, int out, int err) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  execl("/bin/sh", "sh", "-c", command, nullptr);
  _exit(127);
}

absl::Status Failed(absl::string_view what) { return absl::DataLossError(what); }

absl::StatusOr<CommandResult> ParseObject(const std::string& line) {
  const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Failed(absl::StrCat("'", Printable(line), "' is no JSON object"));
  CommandResult result;
  bool has_value = false;
  for (const auto& [name, field] : object.items()) {
    const std::string what = absl::StrCat("'", Printable(name), "' of what it printed");
    if (name == "value") {
      if (!field.is_number()) return Failed(absl::StrCat(what, " is no number"));
      has_value = true;
      result.value = field.get<double>();
    } else if (name == "constraints") {
      if (!field.is_array()) return Failed(absl::StrCat(what, " is no list"));
      for (const auto& constraint : field) {
        if (!constraint.is_number()) return Failed(absl::StrCat(what, " holds what is no number"));
        result.constraints.push_back(constraint.get<double>());
      }
    } else if (name == "gradient") {
      if (!field.is_object()) return Failed(absl::StrCat(what, " is no object"));
      for (const auto& [parameter, derivative] : field.items()) {
        if (!derivative.is_number()) return Failed(absl::StrCat(what, " holds what is no number"));
        result.gradient[parameter] = derivative.get<double>();
      }
    } else {
      return Failed(absl::StrCat(what, ": expected value, gradient and constraints alone"));
    }
  }
  if (!has_value) return Failed("printed an object without a value");
  return result;
}

absl::StatusOr<CommandResult> Parse(const std::string& line) {
  if (line.empty()) return Failed("printed nothing");
  if (line[0] == '{') return ParseObject(line);
  CommandResult result;
  if (!absl::SimpleAtod(line, &result.value)) {
    return Failed(absl::StrCat("'", Printable(line), "' is no number"));
  }
  if (!std::isfinite(result.value)) return Failed(absl::StrCat("the value is ", Printable(line)));
  return result;
}

}  // namespace

absl::StatusOr<CommandResult> RunCommand(const std::string& command, const std::string& input,
                                         double time_limit_seconds) {
  UnnamedFile in, out, err;
  if (!in.ok() || !out.ok() || !err.ok() || !in.Write(input)) {
    return absl::InternalError(absl::StrCat("cannot write a temporary file: ", std::strerror(errno)));
  }
  const char* text = command.c_str();
  const int in_fd = in.fd(), out_fd = out.fd(), err_fd = err.fd();
  const pid_t child = fork();
  if (child == 0) Execute(text, in_fd, out_fd, err_fd);
  if (child < 0) {
    return absl::InternalError(absl::StrCat("cannot start a process: ", std::strerror(errno)));
  }
  setpgid(child, child);  // whichever of the two comes first

  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  absl::Status ended;
  int status = 0;
  for (auto pause = std::chrono::microseconds(500);;
       pause = std::min(pause * 2, std::chrono::microseconds(20000))) {
    if (waitpid(child, &status, WNOHANG) == child) break;
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (InterruptRequested()) {
      ended = absl::CancelledError("interrupted");
    } else if (seconds > time_limit_seconds) {
      ended = Failed(absl::StrCat("took longer than ", time_limit_seconds, " seconds"));
    } else if (out.Size() + err.Size() > kMostOutput) {
      ended = Failed("printed more than 64 MiB");
    }
    if (!ended.ok()) {
      kill(-child, SIGKILL);
      waitpid(child, &status, 0);
      return ended;
    }
    std::this_thread::sleep_for(pause);
  }
  kill(-child, SIGKILL);  // what it may have left behind
  if (WIFSIGNALED(status)) return Failed(absl::StrCat("ended by signal ", WTERMSIG(status)));
  const std::string error = Printable(err.LastLine());
  if (WEXITSTATUS(status) != 0) {
    return Failed(absl::StrCat("exit code ", WEXITSTATUS(status), error.empty() ? "" : ": ", error));
  }
  return Parse(out.LastLine());
}

}  // namespace plumb
