#include <ATen/core/grad_mode.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sin.h>
#include <benchmark/benchmark.h>

#include "common/kernels/roofline.h"
#include "common/kernels/rotary.h"

namespace plumb {
namespace {

constexpr int64_t kTokens = 2048;

struct Input {
  explicit Input(const benchmark::State& state)
      : x(at::randn({kTokens, state.range(0), state.range(1)})),
        angles(at::randn({kTokens, state.range(1) / 2})) {}
  at::Tensor x, angles;
  at::Tensor cos = at::cos(angles), sin = at::sin(angles);
};

void BM_Forward(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const Input in(state);
  for (auto _ : state) benchmark::DoNotOptimize(ApplyRotary(in.x, in.cos, in.sin));
  ReportRoofline(state, 0, 2 * in.x.nbytes());  // read, written
}

void BM_ForwardAndBackward(benchmark::State& state) {
  Input in(state);
  in.x.requires_grad_(true);
  const at::Tensor d_output = at::randn(in.x.sizes());
  for (auto _ : state) {
    ApplyRotary(in.x, in.cos, in.sin).backward(d_output);
    in.x.mutable_grad() = at::Tensor();
  }
  ReportRoofline(state, 0, 4 * in.x.nbytes());  // and the same back
}

BENCHMARK(BM_Forward)->ArgNames({"heads", "D"})->Args({8, 8})->Args({9, 64})->Args({32, 64})->UseRealTime();
BENCHMARK(BM_ForwardAndBackward)
    ->ArgNames({"heads", "D"})
    ->Args({8, 8})
    ->Args({9, 64})
    ->Args({32, 64})
    ->UseRealTime();

}  // namespace
}  // namespace plumb
