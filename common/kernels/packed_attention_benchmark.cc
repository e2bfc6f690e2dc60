#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "common/kernels/fused.h"
#include "common/kernels/packed_attention.h"
#include "common/kernels/roofline.h"

namespace plumb {
namespace {

constexpr int64_t kHeads = 9, kKeyHeads = 3, kHeadSize = 64;

// A prompt of 3/4 of `length` tokens and two answers of 1/4, the prompt stored once or before either answer.
std::vector<Segment> Pair(int64_t length, bool shared) {
  const std::vector<int64_t> prompt(length * 3 / 4), answer(length / 4), whole(length);
  return shared ? PackTree({prompt, answer, answer}, {Segment::kNoParent, 0, 0}).segments
                : PackSequences({whole, whole}).segments;
}

struct Input {
  explicit Input(const benchmark::State& state)
      : segments(Pair(state.range(0), state.range(1))), options{0.125, state.range(2)} {
    q = at::randn({segments.back().end, kHeads, kHeadSize});
    k = at::randn({segments.back().end, kKeyHeads, kHeadSize});
    v = at::randn({segments.back().end, kKeyHeads, kHeadSize});
  }

  at::Tensor Attend() const { return PackedAttention(q, k, v, segments, options); }

  // Pairs that a causal mask leaves, two products of kHeadSize each; the answers' tokens see the prompt's.
  double ForwardFlops() const {
    double pairs = 0;
    for (const Segment& segment : segments) {
      const double length = segment.length();
      pairs += length * (length + 1) / 2;
      if (segment.parent != Segment::kNoParent) pairs += length * segments[segment.parent].length();
    }
    return pairs * kHeads * kHeadSize * 4;
  }

  std::vector<Segment> segments;
  AttentionOptions options;
  at::Tensor q, k, v;
};

void BM_Forward(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const Input in(state);
  for (auto _ : state) benchmark::DoNotOptimize(in.Attend());
  ReportRoofline(state, in.ForwardFlops(), 2 * (in.q.nbytes() + in.k.nbytes()));
}

void BM_ForwardAndBackward(benchmark::State& state) {
  Input in(state);
  for (at::Tensor* x : {&in.q, &in.k, &in.v}) x->requires_grad_(true);
  const at::Tensor d_output = at::randn(in.q.sizes());
  for (auto _ : state) {
    in.Attend().backward(d_output);
    for (at::Tensor* x : {&in.q, &in.k, &in.v}) x->mutable_grad() = at::Tensor();
  }
  // Five products back, two forward.
  ReportRoofline(state, 3.5 * in.ForwardFlops(), 6 * (in.q.nbytes() + in.k.nbytes()));
}

// LibTorch's own operators, segment by segment.
void BM_UnfusedForwardAndBackward(benchmark::State& state) {
  const ScopedUnfusedKernels unfused;
  BM_ForwardAndBackward(state);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"length", "shared", "window"})
      ->ArgsProduct({{256, 1024}, {0, 1}, {0, 128}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

BENCHMARK(BM_Forward)->Apply(Sizes);
BENCHMARK(BM_ForwardAndBackward)->Apply(Sizes);
BENCHMARK(BM_UnfusedForwardAndBackward)->Apply(Sizes);

}  // namespace
}  // namespace plumb
