#include "common/testing/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/testing/testing.h"

namespace plumb {
namespace {

std::string Contents(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

void Redirect(int fd, const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, fd);
  close(file);
}

// Negative milliseconds: no signal.
Ended Run(const std::string& command, int milliseconds, int signal) {
  const std::string folder = TemporaryFolder();
  const pid_t child = fork();
  if (child == 0) {
    Redirect(STDOUT_FILENO, folder + "/out");
    Redirect(STDERR_FILENO, folder + "/err");
    const std::string shell_command = milliseconds < 0 ? command : "exec " + command;
    execl("/bin/sh", "sh", "-c", shell_command.c_str(), nullptr);
    _exit(127);
  }
  if (child < 0) {
    ADD_FAILURE() << "cannot start " << command;
    return {};
  }
  int status = 0;
  if (milliseconds >= 0) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    bool ended = false;
    while (!ended && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ended = waitpid(child, &status, WNOHANG) == child;
    }
    if (!ended) {
      kill(child, signal);
      waitpid(child, &status, 0);
    }
  } else {
    waitpid(child, &status, 0);
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), Contents(folder + "/out"),
          Contents(folder + "/err")};
}

}  // namespace

Ended RunCommand(const std::string& command) { return Run(command, -1, 0); }

Ended RunAndSignal(const std::string& command, int milliseconds, int signal) {
  return Run(command, milliseconds, signal);
}

}  // namespace plumb
