// LinearLogProb against the plain at::linear + log_softmax + gather: forward and backward pass of M = 2048
// tokens.
#include <ATen/TensorOperators.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include "common/kernels/linear_logprob.h"
#include "common/kernels/roofline.h"

namespace plumb {
namespace {

constexpr int64_t kTokens = 2048;

template <typename Logps>
void Run(benchmark::State& state, const Logps& logps) {
  const at::Tensor hidden = at::randn({kTokens, state.range(1)}).requires_grad_(true);
  const at::Tensor weight = (at::randn({state.range(0), state.range(1)}) / 8).requires_grad_(true);
  const at::Tensor targets = at::randint(state.range(0), {kTokens}, at::kLong);
  for (auto _ : state) {
    logps(hidden, weight, targets).sum().backward();
    hidden.mutable_grad() = at::Tensor();
    weight.mutable_grad() = at::Tensor();
  }
  // The gradient's matrix products cost twice those of the forward pass. At the least, inputs are read and
  // gradients written.
  ReportRoofline(state, 3 * 2.0 * kTokens * state.range(0) * state.range(1),
                 2 * (hidden.nbytes() + weight.nbytes()));
}

void BM_LinearLogProb(benchmark::State& state) {
  Run(state, [](const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets) {
    return LinearLogProb(hidden, weight, targets).logps;
  });
}

void BM_Plain(benchmark::State& state) {
  Run(state, [](const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets) {
    return at::gather(at::log_softmax(at::linear(hidden, weight), -1), 1, targets.unsqueeze(1));
  });
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"V", "H"})
      ->ArgsProduct({{512, 4096, 8192, 32000}, {64, 512}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

BENCHMARK(BM_LinearLogProb)->Apply(Sizes);
BENCHMARK(BM_Plain)->Apply(Sizes);

}  // namespace
}  // namespace plumb
