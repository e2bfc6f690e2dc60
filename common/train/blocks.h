#ifndef PLUMB_COMMON_TRAIN_BLOCKS_H_
#define PLUMB_COMMON_TRAIN_BLOCKS_H_

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace plumb {

// Splits [0, size) into blocks whose borders depend on `size` alone, so that a vectorised loop has its odd
// elements in the same places, and a sum its partial sums, whatever the number of threads.
constexpr int64_t kBlockSize = 4096;

inline int64_t BlockCount(int64_t size) { return (size + kBlockSize - 1) / kBlockSize; }

// Calls body(block, begin, end) for each block, in parallel where that is worth it.
template <typename Body>
void ForEachBlock(int64_t size, const Body& body) {
  at::parallel_for(0, BlockCount(size), /*grain_size=*/4, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      body(block, block * kBlockSize, std::min(size, (block + 1) * kBlockSize));
    }
  });
}

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_BLOCKS_H_
