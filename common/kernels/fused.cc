#include "common/kernels/fused.h"

#include <atomic>

namespace plumb {
namespace {
std::atomic<bool> fused{true};
}  // namespace

bool FusedKernels() { return fused; }

ScopedUnfusedKernels::ScopedUnfusedKernels() : before_(fused.exchange(false)) {}
ScopedUnfusedKernels::~ScopedUnfusedKernels() { fused = before_; }

}  // namespace plumb
