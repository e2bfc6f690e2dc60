#include "common/program/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace plumb {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");

void OnSignal(int) {
  if (requested.exchange(true)) _exit(130);
  static constexpr char kNotice[] = "\nstopping; press Ctrl-C again to stop at once\n";
  if (isatty(STDERR_FILENO)) {
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kNotice, sizeof(kNotice) - 1);
  }
}

}  // namespace

void InstallInterruptHandlers() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool InterruptRequested() { return requested.load(std::memory_order_relaxed); }

void SetInterruptRequested(bool value) { requested = value; }

}  // namespace plumb
