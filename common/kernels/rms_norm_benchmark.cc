#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include "common/kernels/rms_norm.h"
#include "common/kernels/roofline.h"

namespace plumb {
namespace {

constexpr int64_t kTokens = 2048;

void BM_Forward(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::randn({kTokens, state.range(0)}), weight = at::ones({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(RmsNorm(x, weight, 1e-5));
  ReportRoofline(state, 0, 2 * x.nbytes());  // read, written
}

void BM_ForwardAndBackward(benchmark::State& state) {
  const at::Tensor x = at::randn({kTokens, state.range(0)}).requires_grad_(true);
  const at::Tensor weight = at::ones({state.range(0)}).requires_grad_(true), d_output = at::randn(x.sizes());
  for (auto _ : state) {
    RmsNorm(x, weight, 1e-5).backward(d_output);
    x.mutable_grad() = at::Tensor();
  }
  ReportRoofline(state, 0, 5 * x.nbytes());  // and back: x, d_output, d_x
}

BENCHMARK(BM_Forward)->ArgName("H")->Arg(64)->Arg(512)->Arg(2048)->UseRealTime();
BENCHMARK(BM_ForwardAndBackward)->ArgName("H")->Arg(64)->Arg(512)->Arg(2048)->UseRealTime();

}  // namespace
}  // namespace plumb
