#ifndef PLUMB_COMMON_TRAIN_THREADS_H_
#define PLUMB_COMMON_TRAIN_THREADS_H_

#include <cstdint>

namespace plumb {

// From now on LibTorch computes with so many threads; 0: as many as the process may run on.
void SetThreads(int64_t threads);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_THREADS_H_
