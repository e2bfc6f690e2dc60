#include "alignment/selection/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    const auto probe = RunSandboxed({"true"}, folder_, limits_);
    if (!probe.ok()) GTEST_SKIP() << "skipped: " << probe.status().message();
  }

  SandboxResult Shell(const std::string& script, const char* shell = "sh") {
    const auto start = Clock::now();
    const auto result = RunSandboxed({shell, "-c", script}, folder_, limits_);
    seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
    PLUMB_EXPECT_OK(result);
    return result.value_or(SandboxResult());
  }

  const std::string folder_ = TemporaryFolder();
  SandboxLimits limits_;
  double seconds_ = 0;
};

TEST_F(Sandbox, GivesOutputAndExitCode) {
  const SandboxResult result = Shell("pwd; echo $HOME; echo trouble >&2; cat; exit 3");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.timed_out);
  const std::string folder = std::filesystem::canonical(folder_).string();
  EXPECT_EQ(result.output, absl::StrCat(folder, "\n", folder, "\ntrouble\n"));
  EXPECT_EQ(Shell("kill -9 $$; echo not here").exit_code, 128 + SIGKILL);
  EXPECT_EQ(Shell("kill -11 $$").exit_code, 128 + SIGSEGV);
}

TEST_F(Sandbox, EndsAHang) {
  limits_.seconds = 0.5;
  for (const char* script :
       {"sleep 1000", "while :; do :; done", "trap '' TERM INT HUP; sleep 1000; sleep 1000",
        "echo before; exec sleep 1000"}) {
    const SandboxResult result = Shell(script);
    EXPECT_TRUE(result.timed_out) << script;
    EXPECT_EQ(result.exit_code, 128 + SIGKILL);
    EXPECT_GE(seconds_, 0.5);
    EXPECT_LT(seconds_, 60);
  }
  EXPECT_EQ(Shell("echo before; sleep 1000").output, "before\n");
}

TEST_F(Sandbox, EndsAllThatItStarted) {
  // All of them hold the output: it would come to its end with the last of them.
  const SandboxResult left = Shell(
      "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'trap \"\" HUP TERM; sleep 1000' &) ; "
      "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; echo done");
  EXPECT_EQ(left.output, "done\n");
  EXPECT_EQ(left.exit_code, 0);
  EXPECT_FALSE(left.timed_out);
  EXPECT_LT(seconds_, 60);
  limits_.seconds = 0.5;
  const SandboxResult late = Shell("(setsid sleep 1000 &); sleep 1000");
  EXPECT_TRUE(late.timed_out);
  EXPECT_LT(seconds_, 60);
}

TEST_F(Sandbox, EndsWithTheProcessThatStartedIt) {
  limits_.seconds = 1000;
  const pid_t starter = fork();
  ASSERT_GE(starter, 0);
  if (starter == 0) {
    const char* script = "setsid sh -c 'while :; do echo >> ticks; sleep 0.02; done' & sleep 1000";
    RunSandboxed({"sh", "-c", script}, folder_, limits_).status().IgnoreError();
    _exit(0);
  }
  const auto ticks = [&] { return ReadFile(folder_ + "/ticks").value_or("").size(); };
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  while (ticks() < 3 && Clock::now() < deadline) usleep(10000);
  EXPECT_GE(ticks(), 3u);
  kill(starter, SIGKILL);
  ASSERT_EQ(waitpid(starter, nullptr, 0), starter);
  // Ends come one after the other: it stands still once they did.
  size_t before = 0, now = ticks();
  while (before != now && Clock::now() < deadline) {
    usleep(500000);
    before = now;
    now = ticks();
  }
  EXPECT_EQ(before, now);
}

TEST_F(Sandbox, HasLittleMemory) {
  limits_.memory_bytes = int64_t{64} << 20;
  limits_.seconds = 60;
  // One line of 500 MB, which tail would keep.
  const SandboxResult result = Shell("head -c 500000000 /dev/zero | tail -n 1 | wc -c");
  EXPECT_FALSE(result.timed_out);
  EXPECT_THAT(result.output, HasSubstr("memory"));
  limits_.memory_bytes = int64_t{1} << 30;
  EXPECT_EQ(Shell("head -c 50000000 /dev/zero | tail -n 1 | wc -c").output, "50000000\n");
}

TEST_F(Sandbox, HasNoNetwork) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string connect =
      absl::StrCat("exec 3<>/dev/tcp/127.0.0.1/", ntohs(address.sin_port), " && echo connected");
  // Outside, the same connects.
  EXPECT_EQ(system(absl::StrCat("bash -c '", connect, "' >/dev/null").c_str()), 0);
  const SandboxResult result = Shell(connect, "bash");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.output, testing::AnyOf(HasSubstr("unreachable"), HasSubstr("refused")));
  EXPECT_THAT(Shell("tail -n +3 /proc/self/net/dev | cut -d: -f1").output, HasSubstr("lo"));
  EXPECT_EQ(Shell("tail -n +3 /proc/self/net/dev | wc -l").output, "1\n");
  close(listener);
}

TEST_F(Sandbox, WritesToItsFolderAlone) {
  const std::string outside = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(outside + "/kept", "kept"));
  const SandboxResult result =
      Shell(absl::StrCat("echo here > file; cat ", outside, "/kept; echo; rm ", outside,
                         "/kept; echo gone > ", outside, "/kept; echo x > /tmp/x.$$; true"));
  EXPECT_EQ(ReadFile(folder_ + "/file").value(), "here\n");
  EXPECT_EQ(ReadFile(outside + "/kept").value(), "kept");
  EXPECT_THAT(result.output, HasSubstr("kept\n"));
  EXPECT_THAT(result.output, HasSubstr("Read-only file system"));
  // No right to undo it.
  EXPECT_NE(Shell("mount -o remount,rw /").exit_code, 0);
  EXPECT_NE(
      Shell(absl::StrCat("unshare -Urm sh -c 'mount -o remount,rw,bind / && echo gone > ", outside, "/kept'"))
          .exit_code,
      0);
  EXPECT_EQ(ReadFile(outside + "/kept").value(), "kept");
  EXPECT_EQ(Shell("id -u").output, "1000\n");
}

TEST_F(Sandbox, WritesNoLargeFilesAndKeepsLittleOutput) {
  limits_.file_bytes = 1000;
  EXPECT_NE(Shell("head -c 2000 /dev/zero > large").exit_code, 0);
  EXPECT_LE(ReadFile(folder_ + "/large").value().size(), 1000u);
  limits_.output_bytes = 10;
  EXPECT_EQ(Shell("echo 123; echo 45678901234567").output, "123\n456789");
  limits_.output_bytes = 100;
  EXPECT_EQ(Shell("head -c 10000000 /dev/zero").output.size(), 100u);
}

TEST_F(Sandbox, SeesNothingOfThisProcess) {
  setenv("PLUMB_SECRET", "secret", 1);
  EXPECT_EQ(Shell("echo $PLUMB_SECRET").output, "\n");
  EXPECT_EQ(Shell("echo $$").output, "2\n");
  const int file = open("/dev/null", O_RDONLY);  // open in this process, and not closed by exec
  ASSERT_GT(file, 2);
  EXPECT_EQ(Shell(absl::StrCat("true <&", file)).exit_code, 2);
  close(file);
}

TEST_F(Sandbox, TellsWhatCannotBeStarted) {
  EXPECT_EQ(RunSandboxed({"no-such-program"}, folder_, limits_).status().message(),
            "no-such-program: there is no such program in /usr/local/bin:/usr/bin:/bin");
  EXPECT_EQ(RunSandboxed({"/no/such"}, folder_, limits_).status().message(),
            "/no/such: cannot run the command for the sandbox: No such file or directory");
  EXPECT_EQ(RunSandboxed({"true"}, "/no/such", limits_).status().message(),
            "cannot find /no/such: No such file or directory");
  EXPECT_EQ(RunSandboxed({}, folder_, limits_).status().message(), "no command to run");
}

}  // namespace
}  // namespace plumb
