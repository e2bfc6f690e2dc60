#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "common/kernels/paged_attention.h"

namespace plumb {
namespace {

constexpr int64_t kHeads = 8, kKeyHeads = 4, kHeadSize = 64;

struct Input {
  // `count` new tokens of each of `sequences`, behind `past` tokens.
  Input(int64_t sequences, int64_t past, int64_t count, at::ScalarType dtype) {
    blocks.resize(sequences);
    for (int64_t i = 0; i < sequences; ++i) {
      for (int64_t held = 0; held < past + count; held += kBlockTokens) {
        blocks[i].push_back(EmptyBlock(1, kKeyHeads, kHeadSize, dtype));
        blocks[i].back().normal_();
      }
      paged.push_back({i * count, (i + 1) * count, past, blocks[i]});
    }
    q = at::randn({sequences * count, kHeads, kHeadSize}).to(dtype);
    k = at::randn({sequences * count, kKeyHeads, kHeadSize}).to(dtype);
  }

  std::vector<std::vector<at::Tensor>> blocks;
  std::vector<PagedSequence> paged;
  at::Tensor q, k;
};

// The next token of each sequence: keys and values are read once, which is what it costs.
void Decode(benchmark::State& state, at::ScalarType dtype) {
  const int64_t sequences = state.range(0), past = state.range(1);
  const Input in(sequences, past, 1, dtype);
  for (auto _ : state) benchmark::DoNotOptimize(PagedAttention(in.q, in.paged, 0, {0.125, 0}));
  const int64_t bytes = sequences * (past + 1) * 2 * kKeyHeads * kHeadSize * c10::elementSize(dtype);
  state.SetBytesProcessed(state.iterations() * bytes);
}
void BM_Decode(benchmark::State& state) { Decode(state, at::kFloat); }
void BM_DecodeBfloat16(benchmark::State& state) { Decode(state, at::kBFloat16); }

// A whole prompt: products are what it costs.
void BM_Prefill(benchmark::State& state) {
  const int64_t length = state.range(0);
  const Input in(1, 0, length, at::kFloat);
  for (auto _ : state) benchmark::DoNotOptimize(PagedAttention(in.q, in.paged, 0, {0.125, 0}));
  const double pairs = static_cast<double>(length) * (length + 1) / 2;
  state.counters["flops"] =
      benchmark::Counter(pairs * kHeads * kHeadSize * 4, benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::kIs1000);
}

void BM_Store(benchmark::State& state) {
  const Input in(1, 0, state.range(0), at::kFloat);
  for (auto _ : state) StoreInBlocks(in.k, in.k, in.paged, 0);
  state.SetBytesProcessed(state.iterations() * 4 * in.k.nbytes());  // keys and values, read and written
}

void DecodeSizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"sequences", "past"})
      ->ArgsProduct({{1, 16}, {128, 2048}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK(BM_Decode)->Apply(DecodeSizes);
BENCHMARK(BM_DecodeBfloat16)->Apply(DecodeSizes);
BENCHMARK(BM_Prefill)->ArgName("length")->Arg(128)->Arg(1024)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(BM_Store)->ArgName("length")->Arg(16)->Arg(1024)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace plumb
