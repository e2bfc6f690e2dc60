#ifndef PLUMB_COMMON_KERNELS_VECTORIZED_H_
#define PLUMB_COMMON_KERNELS_VECTORIZED_H_

#include <cstdint>

// A function compiled for several levels of x86-64, of which the one that suits the machine runs. For loops
// that the compiler vectorises; v3 is AVX2 with fused multiply-add, v4 AVX-512. Programs under
// AddressSanitizer cannot start with such functions.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define PLUMB_VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PLUMB_VECTORIZED
#endif

#ifdef _OPENMP
// glibc has vectors of these; it declares them under -ffast-math alone. Link with -lmvec.
#pragma omp declare simd notinbranch
extern "C" float expf(float) noexcept;
#pragma omp declare simd notinbranch
extern "C" double exp(double) noexcept;
#endif

namespace plumb {

// 32 bytes of T, wherever they start.
template <typename T>
struct Vector {
  typedef T type __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
  static constexpr int64_t kLanes = 32 / sizeof(T);
};

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_VECTORIZED_H_
