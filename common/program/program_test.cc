#include "common/program/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/testing/subprocess.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// `environment` is put before the sample program's name.
Ended RunSample(const std::string& arguments, const std::string& environment = "") {
  return RunCommand(
      absl::StrCat("env ", environment, " ", Runfile("common/program/sample_program"), " ", arguments));
}

TEST(ProgramTest, ReadsFlagsInEveryForm) {
  const Ended ended = RunSample("--count=7 --loud --set a=1 --set=b=2 -set 'c=3 4'");
  EXPECT_EQ(ended.exit_code, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("count=7 loud=1 set=a=1|b=2|c=3 4\n"));
  EXPECT_EQ(ended.errors, "");
  EXPECT_THAT(RunSample("--count -7 --loud --noloud").output, HasSubstr("count=-7 loud=0 set=\n"));
  EXPECT_THAT(RunSample("--loud=false --count 1").output, HasSubstr("count=1 loud=0"));
}

TEST(ProgramTest, RefusesWrongFlags) {
  const struct {
    const char *arguments, *error;
  } cases[] = {
      {"--cuont=7", "error: --cuont: there is no such flag; did you mean --count?\n"},
      {"--sets a=1", "error: --sets: there is no such flag; did you mean --set?\n"},
      {"--hlep", "error: --hlep: there is no such flag; did you mean --help?\n"},
      {"--zebra", "error: --zebra: there is no such flag; --help lists the flags\n"},
      {"--logtostderr", "error: --logtostderr: there is no such flag; --help lists the flags\n"},
      {"--nocount", "error: --nocount: there is no such flag; did you mean --count?\n"},
      {"--count=many", "error: --count: 'many' is no int32\n"},
      {"--loud=perhaps", "error: --loud: 'perhaps' is no bool\n"},
      {"--count", "error: --count: needs a value: --count=VALUE\n"},
      {"--set", "error: --set: needs a value: --set=VALUE\n"},
      {"stray", "error: 'stray': this program takes flags only; --help lists them\n"},
      {"-- --count=1", "error: '--count=1': this program takes flags only; --help lists them\n"},
  };
  for (const auto& wrong : cases) {
    const Ended ended = RunSample(wrong.arguments);
    EXPECT_EQ(ended.exit_code, 2) << wrong.arguments;
    EXPECT_EQ(ended.errors, wrong.error);
    EXPECT_EQ(ended.output, "");
  }
}

TEST(ProgramTest, HelpShowsOnlyThisProgramsFlags) {
  const Ended ended = RunSample("--help");
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_EQ(ended.output,
            "usage: sample_program [--end=HOW]\nEnds.\n\n"
            "  --count=int32           a number (default: 3)\n"
            "  --end=string            how to end (default: well)\n"
            "  --loud                  a bool\n"
            "  --set=string            may be given many times\n");
}

TEST(ProgramTest, ThreadsSpinForALimitedTimeUnlessTheUserSaysHowTheyWait) {
  const Ended ended = RunSample("--count=7 --set 'c=3 4'", "-u OMP_WAIT_POLICY -u GOMP_SPINCOUNT");
  EXPECT_EQ(ended.exit_code, 0) << ended.errors;
  EXPECT_THAT(ended.output, StartsWith("count=7 loud=0 set=c=3 4\n"));
  EXPECT_THAT(ended.output, HasSubstr("spin_count=5000\n"));
  EXPECT_THAT(RunSample("", "-u GOMP_SPINCOUNT OMP_WAIT_POLICY=ACTIVE").output, HasSubstr("spin_count=\n"));
  EXPECT_THAT(RunSample("", "-u OMP_WAIT_POLICY GOMP_SPINCOUNT=7").output, HasSubstr("spin_count=7\n"));
}

TEST(ProgramTest, ErrorsAreOneLine) {
  const Ended error = RunSample("--end=error");
  EXPECT_EQ(error.exit_code, 2);
  EXPECT_EQ(error.errors, "error: a.textproto:3: no field foo\n");

  const Ended bug = RunSample("--end=bug");
  EXPECT_EQ(bug.exit_code, 1);
  EXPECT_EQ(bug.errors, "internal error (please report it): sizes do not fit\n");
}

TEST(ProgramTest, SaysHowMuchMemoryWasAskedFor) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer itself ends a program that asks for so much";
#endif
  const Ended tensor = RunSample("--end=memory");
  EXPECT_EQ(tensor.exit_code, 2);
  EXPECT_THAT(tensor.errors, StartsWith("error: out of memory: 262144.00 GiB were asked for, "));
  EXPECT_THAT(tensor.errors, HasSubstr("GiB were in use at the most; lower the batch size"));
  EXPECT_EQ(std::count(tensor.errors.begin(), tensor.errors.end(), '\n'), 1);

  const Ended plain = RunSample("--end=bad_alloc");
  EXPECT_EQ(plain.exit_code, 2);
  EXPECT_THAT(plain.errors, StartsWith("error: out of memory: more was asked for, "));
}

TEST(ProgramTest, RunsInTheFolderOfTheUserAndStillFindsItsRunfiles) {
  const std::string folder = TemporaryFolder(), workspace = TemporaryFolder();
  const Ended ended = RunSample("", absl::StrCat("BUILD_WORKING_DIRECTORY=", folder));
  const std::string entered = std::filesystem::canonical(folder).string();
  EXPECT_THAT(ended.output, HasSubstr(absl::StrCat("folder=", entered, "\n")));
  EXPECT_THAT(ended.output, HasSubstr(".runfiles/plumb/WORKSPACE\n"));
  EXPECT_THAT(ended.output, HasSubstr("user_file=here.txt\n"));

  PLUMB_ASSERT_OK(WriteFileAtomically(workspace + "/here.txt", "x"));
  const std::string both =
      absl::StrCat("BUILD_WORKING_DIRECTORY=", folder, " BUILD_WORKSPACE_DIRECTORY=", workspace);
  EXPECT_THAT(RunSample("", both).output, HasSubstr(absl::StrCat("user_file=", workspace, "/here.txt\n")));

  const Ended nowhere = RunSample("", "BUILD_WORKING_DIRECTORY=/no/such/folder");
  EXPECT_EQ(nowhere.exit_code, 2);
  EXPECT_EQ(nowhere.errors, "error: cannot enter the folder /no/such/folder: No such file or directory\n");
}

TEST(ProgramTest, AFullDiskBehindStandardOutputIsAnError) {
  const Ended ended = RunCommand(Runfile("common/program/sample_program") + " >/dev/full");
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_EQ(ended.errors, "error: cannot write to standard output: No space left on device\n");
}

// Starts the sample program, sends it signals once it waits, and gives its exit code.
int ExitCodeAfterSignals(const std::string& end, const std::vector<int>& signals) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_ends[1], STDOUT_FILENO);
    close(pipe_ends[0]);
    const std::string program = Runfile("common/program/sample_program"), flag = "--end=" + end;
    execl(program.c_str(), program.c_str(), flag.c_str(), nullptr);
    _exit(99);
  }
  close(pipe_ends[1]);
  char buffer[64];
  if (read(pipe_ends[0], buffer, sizeof(buffer)) <= 0) ADD_FAILURE() << "the program did not start";
  for (const int signal : signals) {
    kill(child, signal);
    usleep(200000);
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(pipe_ends[0]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(ProgramTest, TheFirstSignalAsksAndTheSecondEnds) {
  EXPECT_EQ(ExitCodeAfterSignals("interrupted", {SIGINT}), 130);
  EXPECT_EQ(ExitCodeAfterSignals("interrupted", {SIGTERM}), 130);
  EXPECT_EQ(ExitCodeAfterSignals("deaf", {SIGINT, SIGINT}), 130);
}

}  // namespace
}  // namespace plumb
