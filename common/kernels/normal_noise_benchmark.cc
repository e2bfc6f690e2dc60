#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>

#include "common/kernels/normal_noise.h"
#include "common/kernels/roofline.h"

namespace plumb {
namespace {

void BM_AddNormalNoise(benchmark::State& state) {
  const at::Tensor tensor = at::zeros({state.range(0)});
  for (auto _ : state) AddNormalNoise(RandomStream(1, "noise"), 1, 0.5, tensor);
  // About 70 operations of f64 a number and half a Philox block.
  ReportRoofline(state, 0, 2 * tensor.nbytes());
}

void BM_PlainNormalNoise(benchmark::State& state) {
  const at::Tensor tensor = at::zeros({state.range(0)});
  for (auto _ : state) tensor.add_(RandomStream(1, "noise").NormalTensor({state.range(0)}, at::kFloat));
  ReportRoofline(state, 0, 2 * tensor.nbytes());
}

BENCHMARK(BM_AddNormalNoise)->Arg(1 << 18)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_PlainNormalNoise)->Arg(1 << 18)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace plumb
