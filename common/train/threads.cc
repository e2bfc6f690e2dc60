#include "common/train/threads.h"

#include <ATen/Parallel.h>

#include <thread>

namespace plumb {

void SetThreads(int64_t threads) {
  // glibc counts the CPUs of the process's affinity mask here.
  at::set_num_threads(threads > 0 ? static_cast<int>(threads)
                                  : static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace plumb
