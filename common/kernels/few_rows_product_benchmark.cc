// FewRowsProduct against at::linear, for the matrices of a 25M and a 110M Llama shape and for a head.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include "common/kernels/few_rows_product.h"
#include "common/kernels/roofline.h"

namespace plumb {
namespace {

template <typename Product>
void Run(benchmark::State& state, const Product& product) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::randn({state.range(0), state.range(2)}),
                   weight = at::randn({state.range(1), state.range(2)});
  for (auto _ : state) benchmark::DoNotOptimize(product(x, weight));
  ReportRoofline(state, 2.0 * x.size(0) * weight.numel(), weight.nbytes());
}

void BM_FewRowsProduct(benchmark::State& state) {
  Run(state, [](const at::Tensor& x, const at::Tensor& weight) { return FewRowsProduct(x, weight); });
}

void BM_Linear(benchmark::State& state) {
  Run(state, [](const at::Tensor& x, const at::Tensor& weight) { return at::linear(x, weight); });
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"M", "N", "K"})
      ->ArgsProduct({{1, 4, 16, 32}, {512, 2048, 32000}, {512, 768}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK(BM_FewRowsProduct)->Apply(Sizes);
BENCHMARK(BM_Linear)->Apply(Sizes);

}  // namespace
}  // namespace plumb
