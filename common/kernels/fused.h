#ifndef PLUMB_COMMON_KERNELS_FUSED_H_
#define PLUMB_COMMON_KERNELS_FUSED_H_

namespace plumb {

// Whether kernels that have a body of their own beside one of LibTorch's operators use it. The two give the
// same numbers up to rounding; tests compare them.
bool FusedKernels();

// Makes kernels use LibTorch's operators as long as it lives. For one thread's forward passes at a time.
class ScopedUnfusedKernels {
 public:
  ScopedUnfusedKernels();
  ~ScopedUnfusedKernels();
  ScopedUnfusedKernels(const ScopedUnfusedKernels&) = delete;
  ScopedUnfusedKernels& operator=(const ScopedUnfusedKernels&) = delete;

 private:
  const bool before_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_FUSED_H_
