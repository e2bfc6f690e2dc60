#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include "common/kernels/roofline.h"
#include "optim/adamw.h"
#include "optim/optimizer.pb.h"

namespace plumb {
namespace {

void BM_Step(benchmark::State& state) {
  const at::Tensor weights = at::randn({state.range(0)}).requires_grad_(true);
  weights.mutable_grad() = at::randn(weights.sizes());
  AdamW optimizer(AdamWConfig(), {{"weights", weights}});
  for (auto _ : state) optimizer.Step(1e-5);
  // Weight and two moments read and written, the gradient read.
  ReportRoofline(state, 0, 7 * weights.nbytes());
}

BENCHMARK(BM_Step)
    ->ArgName("weights")
    ->Arg(1 << 16)
    ->Arg(1 << 24)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace plumb
