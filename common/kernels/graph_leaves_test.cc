#include "common/kernels/graph_leaves.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(GraphLeavesTest, AreThoseThatABackwardPassReaches) {
  const at::Tensor a = at::ones({2}).requires_grad_(true), b = at::ones({2}).requires_grad_(true);
  const at::Tensor constant = at::ones({2}), detached = (a * 2).detach();
  const auto leaves = GraphLeaves(((b + constant) * b * detached).sum());
  ASSERT_EQ(leaves.size(), 1);
  EXPECT_TRUE(leaves[0].is_same(b));
  EXPECT_EQ(GraphLeaves((a * b + a).sum()).size(), 2);
  ASSERT_EQ(GraphLeaves(a).size(), 1);
  EXPECT_TRUE(GraphLeaves(constant * 2).empty());
}

}  // namespace
}  // namespace plumb
