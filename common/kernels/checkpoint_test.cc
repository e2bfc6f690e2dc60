#include "common/kernels/checkpoint.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

at::Tensor Matrix(double start, bool requires_grad) {
  return at::linspace(start, start + 1, 12, at::kFloat).view({3, 4}).requires_grad_(requires_grad);
}

struct LayerRun {
  at::Tensor input, weight, unused, output;
  int computed = 0;
};

LayerRun RunLayer(bool checkpoint, bool input_requires_grad) {
  LayerRun run{Matrix(0, input_requires_grad), Matrix(1, true), Matrix(2, true), {}, 0};
  const auto layer = [&run](const at::Tensor& x) {
    ++run.computed;
    return at::sin(at::mm(x * x, run.weight.t()));
  };
  run.output = checkpoint ? Checkpoint(layer, run.input, {run.weight, run.unused}) : layer(run.input);
  (run.output * Matrix(3, false).narrow(1, 0, 3)).sum().backward();
  return run;
}

TEST(CheckpointTest, GivesTheSameNumbersBitForBit) {
  const LayerRun plain = RunLayer(false, true), checkpointed = RunLayer(true, true);
  EXPECT_TRUE(plain.output.equal(checkpointed.output));
  EXPECT_TRUE(plain.input.grad().equal(checkpointed.input.grad()));
  EXPECT_TRUE(plain.weight.grad().equal(checkpointed.weight.grad()));
  EXPECT_FALSE(checkpointed.unused.grad().defined());
  EXPECT_EQ(checkpointed.computed, 2);
}

TEST(CheckpointTest, ParametersGetGradientsThoughTheInputHasNone) {
  const LayerRun plain = RunLayer(false, false), checkpointed = RunLayer(true, false);
  EXPECT_TRUE(plain.weight.grad().equal(checkpointed.weight.grad()));
  EXPECT_FALSE(checkpointed.input.grad().defined());
}

TEST(CheckpointTest, NothingIsRecordedWithoutGradients) {
  int computed = 0;
  const auto layer = [&computed](const at::Tensor& x) { return ++computed, x * 2; };
  EXPECT_FALSE(Checkpoint(layer, Matrix(0, false), {}).requires_grad());
  EXPECT_EQ(computed, 1);
}

}  // namespace
}  // namespace plumb
