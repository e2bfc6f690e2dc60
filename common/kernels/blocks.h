#ifndef PLUMB_COMMON_KERNELS_BLOCKS_H_
#define PLUMB_COMMON_KERNELS_BLOCKS_H_

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace plumb {

// Work is split into blocks whose borders depend on its size alone, so that a vectorised loop has its odd
// elements in the same places, and a sum its partial sums, whatever the number of threads.

constexpr int64_t kBlockSize = 4096;  // elements
constexpr int64_t kRowBlockSize = 64;

constexpr int64_t BlockCount(int64_t size, int64_t block_size = kBlockSize) {
  return (size + block_size - 1) / block_size;
}

// Calls body(block, begin, end) for each block, in parallel where `grain_size` blocks are to be had.
template <typename Body>
void ForEachBlock(int64_t size, const Body& body, int64_t block_size = kBlockSize, int64_t grain_size = 4) {
  at::parallel_for(0, BlockCount(size, block_size), grain_size, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      body(block, block * block_size, std::min(size, (block + 1) * block_size));
    }
  });
}

// The same for rows of a matrix.
template <typename Body>
void ForEachRowBlock(int64_t rows, const Body& body) {
  ForEachBlock(rows, body, kRowBlockSize, /*grain_size=*/1);
}

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_BLOCKS_H_
