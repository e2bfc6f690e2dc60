#include "common/kernels/roofline.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/kernels/tile_product.h"
#include "common/kernels/vectorized.h"

namespace plumb {
namespace {

constexpr int kAttempts = 7;

// Of the fastest of some attempts.
template <typename Work>
double Seconds(const Work& work) {
  double best = 1e30;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

PLUMB_VECTORIZED void MultiplyAdd(const float* a, const float* b, float* c, int64_t depth) {
  AddProduct<float>({a, 1, kProductRows}, b, kProductColumns<float>, c, kProductColumns<float>, kProductRows,
                    kProductColumns<float>, depth);
}

double PeakFlops() {
  constexpr int64_t kDepth = 128, kRepetitions = 100000;
  const int64_t threads = at::get_num_threads();
  const double seconds = Seconds([&] {
    at::parallel_for(0, threads, 1, [&](int64_t first, int64_t last) {
      for (int64_t thread = first; thread < last; ++thread) {
        const std::vector<float> a(kDepth * kProductRows), b(kDepth * kProductColumns<float>);
        std::vector<float> c(kProductRows * kProductColumns<float>);
        for (int64_t i = 0; i < kRepetitions; ++i) MultiplyAdd(a.data(), b.data(), c.data(), kDepth);
        benchmark::DoNotOptimize(c.data());
      }
    });
  });
  return 2.0 * kProductRows * kProductColumns<float> * kDepth * kRepetitions * threads / seconds;
}

double PeakBytes() {
  constexpr int64_t kBytes = int64_t{256} << 20;
  const std::vector<char> from(kBytes, 1);
  std::vector<char> to(kBytes, 0);
  const double seconds = Seconds([&] {
    at::parallel_for(0, kBytes, 1 << 20, [&](int64_t begin, int64_t end) {
      std::memcpy(to.data() + begin, from.data() + begin, end - begin);
    });
    benchmark::DoNotOptimize(to.data());
  });
  return 2.0 * kBytes / seconds;
}

}  // namespace

void ReportRoofline(benchmark::State& state, double flops, double bytes) {
  static const double peak_flops = PeakFlops(), peak_bytes = PeakBytes();
  const auto rate = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kIsIterationInvariantRate,
                              benchmark::Counter::kIs1000);
  };
  if (flops > 0) state.counters["flops"] = rate(flops);
  if (bytes > 0) state.counters["bytes"] = rate(bytes);
  state.counters["roofline"] = rate(std::max(flops / peak_flops, bytes / peak_bytes));
}

}  // namespace plumb
