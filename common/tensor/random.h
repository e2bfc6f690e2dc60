#ifndef PLUMB_COMMON_TENSOR_RANDOM_H_
#define PLUMB_COMMON_TENSOR_RANDOM_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// A named stream of random numbers, counter-based (Philox 4x32-10, Salmon et al. 2011): number i is a pure
// function of seed, name and i. Nothing is consumed, so results depend neither on the number of threads nor
// on the order of calls, and a checkpoint needs to keep no state. Whoever needs fresh numbers a step derives
// a child: stream.Child("dropout").Child(step).
class RandomStream {
 public:
  RandomStream(uint64_t seed, absl::string_view name);

  RandomStream Child(absl::string_view name) const;
  RandomStream Child(uint64_t index) const;

  uint64_t Bits(uint64_t index) const;                   // 64 random bits
  double Uniform(uint64_t index) const;                  // in [0, 1), 53 bits of Bits(index)
  double Normal(uint64_t index) const;                   // mean 0, variance 1; independent of Uniform(index)
  uint64_t Below(uint64_t index, uint64_t bound) const;  // in [0, bound); bias below bound / 2^64; bound > 0

  // Filled in parallel; element i is number i of the stream, rounded to `dtype` (f32 or f64; f32 uniforms are
  // rounded down, so that they stay below 1).
  at::Tensor UniformTensor(at::IntArrayRef sizes, at::ScalarType dtype) const;
  at::Tensor NormalTensor(at::IntArrayRef sizes, at::ScalarType dtype) const;

  // The numbers 0 .. size-1 in random order.
  std::vector<int64_t> Permutation(int64_t size) const;

 private:
  explicit RandomStream(uint64_t key) : key_(key) {}
  uint64_t key_;
};

// The generator itself: ten rounds over a 128-bit counter under a 64-bit key. For kernels that draw numbers
// where they use them.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, uint64_t key);

}  // namespace plumb

#endif  // PLUMB_COMMON_TENSOR_RANDOM_H_
