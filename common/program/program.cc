#include "common/program/program.h"

#include <glog/logging.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/program/flags.h"
#include "common/program/interrupt.h"
#include "common/program/runfiles.h"

namespace plumb {
namespace {

constexpr int kDone = 0;
constexpr int kOurBug = 1;
constexpr int kUserError = 2;
constexpr int kInterrupted = 130;

// Tensors of a step are freed and asked for again in the next: their memory stays with the process, where
// glibc would give it back to the kernel and have each page cleared anew.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

// At the end of a parallel loop libgomp's threads spin for 300,000 rounds, milliseconds, before they sleep.
// With other work on the machine they so keep the thread that they wait for from its processor, and a step of
// training takes up to four times as long; with 5,000 rounds an idle machine is as fast as before. libgomp
// reads its settings before main() begins: the program starts itself again, unless the user has set any.
void BoundSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "5000", /*replace=*/0);
  execv("/proc/self/exe", argv);  // where that fails, the program goes on as it is
}

// What a log line looks like to a user; glog itself writes a failed CHECK, with file, line and stack.
class PlainLines : public google::LogSink {
 public:
  void send(google::LogSeverity severity, const char*, const char*, int, const google::LogMessageTime&,
            const char* message, size_t length) override {
    if (severity == google::GLOG_FATAL) return;
    const char* prefix = severity == google::GLOG_INFO      ? ""
                         : severity == google::GLOG_WARNING ? "warning: "
                                                            : "error: ";
    std::fprintf(stderr, "%s%.*s\n", prefix, static_cast<int>(length), message);
  }
};

void SetUpLogs(const char* argv0) {
  static PlainLines& sink = *new PlainLines();
  // No log files, and of glog's own lines on standard error only those of a failed CHECK.
  for (const google::LogSeverity severity :
       {google::GLOG_INFO, google::GLOG_WARNING, google::GLOG_ERROR, google::GLOG_FATAL}) {
    google::SetLogDestination(severity, "");
  }
  google::SetStderrLogging(google::GLOG_FATAL);
  google::InitGoogleLogging(argv0);
  google::InstallFailureSignalHandler();
  google::AddLogSink(&sink);
}

// Relative paths of a user are relative to where he typed `bazel run`; Bazel starts programs elsewhere.
absl::Status EnterUsersFolder(const char* argv0) {
  FindRunfiles(argv0);
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (folder != nullptr && *folder != 0 && chdir(folder) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot enter the folder ", folder, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

std::string OneLine(absl::string_view message) {
  return absl::StrReplaceAll(message, {{"\n", " "}, {"\r", " "}});
}

void PrintError(absl::string_view message) {
  std::cout.flush();
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", OneLine(message).c_str());
}

int ReportStatus(const absl::Status& status) {
  if (status.ok()) return kDone;
  if (absl::IsCancelled(status)) {
    PrintError(status.message());
    return kInterrupted;
  }
  PrintError(absl::StrCat("error: ", status.message()));
  return kUserError;
}

// LibTorch's allocators say "tried to allocate 1000 bytes" (CPU) or "Tried to allocate 20.00 GiB" (CUDA).
bool SaysOutOfMemory(absl::string_view what, std::string* asked) {
  for (const absl::string_view phrase : {"tried to allocate ", "Tried to allocate "}) {
    const size_t found = what.find(phrase);
    if (found == absl::string_view::npos) continue;
    const absl::string_view amount = what.substr(found + phrase.size());
    const absl::string_view digits = amount.substr(0, amount.find_first_not_of("0123456789."));
    const absl::string_view unit =
        amount.substr(digits.size(), amount.find_first_of(".,;\n", digits.size()) - digits.size());
    double bytes = 0;
    *asked = unit.find("bytes") != absl::string_view::npos && absl::SimpleAtod(digits, &bytes)
                 ? absl::StrFormat("%.2f GiB", bytes / (1 << 30))
                 : absl::StrCat(digits, unit);
    return true;
  }
  return false;
}

int ReportOutOfMemory(const std::string& asked) {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  PrintError(absl::StrFormat(
      "error: out of memory: %s asked for, %.2f GiB were in use at the most; lower the batch size "
      "(per_device_train_batch_size, per_device_eval_batch_size), max_length or the size of the model",
      asked.empty() ? "more was" : asked + " were", usage.ru_maxrss / double{1 << 20}));
  return kUserError;
}

// The first line: c10::Error puts a stack below it.
absl::string_view FirstLine(absl::string_view what) { return what.substr(0, what.find('\n')); }

int RunBody(const std::function<absl::Status()>& body) {
  try {
    return ReportStatus(body());
  } catch (const std::bad_alloc&) {
    return ReportOutOfMemory("");
  } catch (const std::exception& exception) {  // c10::Error is one
    std::string asked;
    if (SaysOutOfMemory(exception.what(), &asked)) return ReportOutOfMemory(asked);
    PrintError(absl::StrCat("internal error (please report it): ", FirstLine(exception.what())));
    return kOurBug;
  }
}

// A full disk behind standard output must not look like success.
int FinishOutput(int exit_code) {
  std::cout.flush();
  if ((std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout.good()) || exit_code != kDone)
    return exit_code;
  PrintError(absl::StrCat("error: cannot write to standard output: ", std::strerror(errno)));
  return kUserError;
}

}  // namespace

int RunProgram(int argc, char** argv, absl::string_view usage,
               const std::function<absl::Status(const std::vector<std::string>&)>& body) {
  KeepFreedMemory();
  SetUpLogs(argv[0]);
  InstallInterruptHandlers();
  const absl::StatusOr<ParsedFlags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) return ReportStatus(flags.status());
  if (flags->help) {
    std::printf("usage: %s\n\n%s", std::string(usage).c_str(), DescribeFlags().c_str());
    return FinishOutput(kDone);
  }
  BoundSpinning(argv);
  return FinishOutput(RunBody([&]() -> absl::Status {
    if (const absl::Status entered = EnterUsersFolder(argv[0]); !entered.ok()) return entered;
    return body(flags->arguments);
  }));
}

int RunProgram(int argc, char** argv, absl::string_view usage, const std::function<absl::Status()>& body) {
  return RunProgram(argc, argv, usage, [&body](const std::vector<std::string>& arguments) -> absl::Status {
    if (arguments.empty()) return body();
    return absl::InvalidArgumentError(
        absl::StrCat("'", arguments[0], "': this program takes flags only; --help lists them"));
  });
}

}  // namespace plumb
