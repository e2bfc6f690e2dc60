#ifndef PLUMB_COMMON_KERNELS_ROOFLINE_H_
#define PLUMB_COMMON_KERNELS_ROOFLINE_H_

#include <benchmark/benchmark.h>

namespace plumb {

// What an iteration of a benchmark that uses real time does in f32, against this machine: rates of `flops`
// and of `bytes` to and from memory, and `roofline`, the least time that the machine could take by the time
// it took (Williams et al. 2009, "Roofline"). The machine's peaks, with LibTorch's number of threads, are
// measured once a process: multiply-adds in registers, and a copy of memory that no cache holds. What stays
// in a cache may exceed 1.
void ReportRoofline(benchmark::State& state, double flops, double bytes);

}  // namespace plumb

#endif  // PLUMB_COMMON_KERNELS_ROOFLINE_H_
