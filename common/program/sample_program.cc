#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <gflags/gflags.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "absl/strings/str_join.h"
#include "common/program/flags.h"
#include "common/program/interrupt.h"
#include "common/program/program.h"
#include "common/program/runfiles.h"

DEFINE_string(end, "well", "how to end");
DEFINE_int32(count, 3, "a number");
DEFINE_bool(loud, false, "a bool");

namespace {

plumb::RepeatedFlag set_flag("set", "may be given many times");

absl::Status WaitForInterrupt() {
  std::printf("waiting\n");
  std::fflush(stdout);
  for (int i = 0; i < 600; ++i) {
    if (plumb::InterruptRequested() && FLAGS_end == "interrupted")
      return absl::CancelledError("stopped; saved");
    usleep(100000);
  }
  return absl::OkStatus();
}

absl::Status Body() {
  if (FLAGS_end == "error") return absl::InvalidArgumentError("a.textproto:3: no field\nfoo");
  if (FLAGS_end == "bug") TORCH_CHECK(false, "sizes do not fit");
  if (FLAGS_end == "memory") at::empty({int64_t{1} << 46});
  if (FLAGS_end == "bad_alloc") throw std::bad_alloc();
  if (FLAGS_end == "interrupted" || FLAGS_end == "deaf") return WaitForInterrupt();
  std::printf("count=%d loud=%d set=%s\n", FLAGS_count, FLAGS_loud,
              absl::StrJoin(set_flag.values(), "|").c_str());
  std::printf("folder=%s\n", std::filesystem::current_path().c_str());
  std::printf("runfile=%s\n", plumb::ResolveRunfile("WORKSPACE").c_str());
  const char* spin_count = std::getenv("GOMP_SPINCOUNT");
  std::printf("spin_count=%s\n", spin_count == nullptr ? "" : spin_count);
  std::printf("user_file=%s\n", plumb::ResolveUserFile("here.txt").c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  return plumb::RunProgram(argc, argv, "sample_program [--end=HOW]\nEnds.", Body);
}
