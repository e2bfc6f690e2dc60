#ifndef PLUMB_OPTIM_BAYESIAN_BENCHMARK_FUNCTIONS_H_
#define PLUMB_OPTIM_BAYESIAN_BENCHMARK_FUNCTIONS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/black_box/study.pb.h"

namespace plumb {

// Those of optim/black_box/test_functions.h on which optimisers of expensive functions are compared, to be
// minimised; names and constants as in botorch.test_functions.
struct BenchmarkFunction {
  StudyTestFunction function;
  std::vector<double> lower, upper;
  double minimum;

  int64_t dimension() const { return lower.size(); }
  at::Tensor Values(const at::Tensor& points) const;  // [B, D] -> [B]
};

// "branin" (2), "hartmann6" (6), "ackley5" (5). Error: another name.
absl::StatusOr<BenchmarkFunction> FindBenchmarkFunction(const std::string& name);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_BENCHMARK_FUNCTIONS_H_
