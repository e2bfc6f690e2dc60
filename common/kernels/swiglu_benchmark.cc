#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include "common/kernels/roofline.h"
#include "common/kernels/swiglu.h"

namespace plumb {
namespace {

constexpr int64_t kTokens = 2048;

void BM_Forward(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor gate = at::randn({kTokens, state.range(0)}), up = at::randn(gate.sizes());
  for (auto _ : state) benchmark::DoNotOptimize(SwiGlu(gate, up));
  ReportRoofline(state, 0, 3 * gate.nbytes());  // two read, one written
}

void BM_ForwardAndBackward(benchmark::State& state) {
  const at::Tensor gate = at::randn({kTokens, state.range(0)}).requires_grad_(true);
  const at::Tensor up = at::randn(gate.sizes()).requires_grad_(true), d_output = at::randn(gate.sizes());
  for (auto _ : state) {
    SwiGlu(gate, up).backward(d_output);
    gate.mutable_grad() = at::Tensor();
    up.mutable_grad() = at::Tensor();
  }
  ReportRoofline(state, 0, 8 * gate.nbytes());  // and back: three read, two written
}

BENCHMARK(BM_Forward)->ArgName("H")->Arg(172)->Arg(1536)->Arg(5632)->UseRealTime();
BENCHMARK(BM_ForwardAndBackward)->ArgName("H")->Arg(172)->Arg(1536)->Arg(5632)->UseRealTime();

}  // namespace
}  // namespace plumb
