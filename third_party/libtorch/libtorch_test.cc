#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <torch/headeronly/version.h>

namespace {

// The headers and the shared objects are of one version, and link beside Debian's libraries.
TEST(LibTorchTest, IsThePinnedVersionAndRuns) {
  EXPECT_EQ(TORCH_VERSION_MAJOR, 2);
  EXPECT_EQ(TORCH_VERSION_MINOR, 11);
  at::Tensor x = at::ones({3}).requires_grad_();
  x.mul(x).sum().backward();
  EXPECT_EQ(x.grad().sum().item<float>(), 6.f);
}

}  // namespace
