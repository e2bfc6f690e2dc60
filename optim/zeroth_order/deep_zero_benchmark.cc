// The perceptron 64-32-10 of the digits, all 2,410 coordinates, a batch of 128: plain estimates, with
// features reused, and by rank-1 changes. "coordinates" is how many a second.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tanh.h>
#include <benchmark/benchmark.h>

#include "optim/zeroth_order/deep_zero.h"

namespace plumb {
namespace {

class Mlp : public MultilayerPerceptron {
 public:
  int64_t LayerCount() const override { return 2; }
  at::Tensor Activate(int64_t layer, const at::Tensor& z) const override {
    return layer == 0 ? at::tanh(z) : z;
  }
  at::Tensor Losses(const at::Tensor& outputs) const override {
    const at::Tensor labels = labels_.expand({outputs.size(0), -1, 1});
    return -outputs.log_softmax(-1).gather(2, labels).to(at::kDouble).mean({1, 2});
  }

 private:
  at::Tensor labels_ = at::arange(128, at::kLong).remainder(10).view({1, -1, 1});
};

enum Form { kPlain, kReuse, kRankOne };

void CoordinateGradient(benchmark::State& state, Form form) {
  const RandomStream random(1, "benchmark");
  const Mlp model;
  LayerTensors parameters, mask;
  const int64_t width = state.range(0), hidden = state.range(1), sizes[] = {width, hidden, 10};
  const double density = width > 100 ? 0.01 : 1;
  for (int64_t layer = 0; layer < 2; ++layer) {
    parameters.push_back(
        {random.Child(layer).NormalTensor({sizes[layer + 1], sizes[layer]}, at::kFloat) * 0.1,
         random.Child(layer + 2).NormalTensor({sizes[layer + 1]}, at::kFloat) * 0.1});
  }
  mask = RandomMask(parameters, {{density, density}, {density, density}}, random.Child("mask"));
  const at::Tensor input = random.Child("input").NormalTensor({128, width}, at::kFloat);
  int64_t coordinates = 0;
  for (auto _ : state) {
    const CoordinateEstimate estimate =
        form == kRankOne ? RankOneCoordinateGradient(model, parameters, mask, input, 5e-3)
                         : LayeredCoordinateGradient(model, parameters, mask, input, {5e-3, form == kReuse});
    coordinates += estimate.evaluations - 1;
  }
  state.counters["coordinates"] = benchmark::Counter(coordinates, benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(CoordinateGradient, plain, kPlain)
    ->Args({64, 32})
    ->Args({784, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(CoordinateGradient, reuse, kReuse)
    ->Args({64, 32})
    ->Args({784, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(CoordinateGradient, rank_one, kRankOne)
    ->Args({64, 32})
    ->Args({784, 256})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace plumb
