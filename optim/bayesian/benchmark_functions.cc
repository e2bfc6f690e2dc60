#include "optim/bayesian/benchmark_functions.h"

#include <ATen/ops/empty.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

double Branin(const double* x, int64_t dimension) {
  const double a = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;
  return a * a + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x[0]) + 10;
}

double Hartmann6(const double* x, int64_t dimension) {
  constexpr double kAlpha[4] = {1.0, 1.2, 3.0, 3.2};
  constexpr double kA[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                               {0.05, 10, 17, 0.1, 8, 14},
                               {3, 3.5, 1.7, 10, 17, 8},
                               {17, 8, 0.05, 10, 0.1, 14}};
  constexpr double kP[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                               {2329, 4135, 8307, 3736, 1004, 9991},
                               {2348, 1451, 3522, 2883, 3047, 6650},
                               {4047, 8828, 8732, 5743, 1091, 381}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double exponent = 0;
    for (int d = 0; d < 6; ++d) exponent += kA[i][d] * (x[d] - 1e-4 * kP[i][d]) * (x[d] - 1e-4 * kP[i][d]);
    sum -= kAlpha[i] * std::exp(-exponent);
  }
  return sum;
}

double Ackley(const double* x, int64_t dimension) {
  double squares = 0, cosines = 0;
  for (int64_t d = 0; d < dimension; ++d) {
    squares += x[d] * x[d] / dimension;
    cosines += std::cos(2 * M_PI * x[d]) / dimension;
  }
  return -20 * std::exp(-0.2 * std::sqrt(squares)) - std::exp(cosines) + 20 + std::exp(1.0);
}

}  // namespace

at::Tensor BenchmarkFunction::Values(const at::Tensor& points) const {
  const at::Tensor rows = points.to(at::kDouble).contiguous();
  at::Tensor values = at::empty({rows.size(0)}, at::kDouble);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    values.mutable_data_ptr<double>()[i] =
        value(rows.const_data_ptr<double>() + i * dimension(), dimension());
  }
  return values;
}

absl::StatusOr<BenchmarkFunction> FindBenchmarkFunction(const std::string& name) {
  if (name == "branin") return BenchmarkFunction{name, {-5, 0}, {10, 15}, 0.397887, Branin};
  if (name == "hartmann6") {
    return BenchmarkFunction{name, std::vector<double>(6, 0), std::vector<double>(6, 1), -3.32237, Hartmann6};
  }
  if (name == "ackley5") {
    return BenchmarkFunction{name, std::vector<double>(5, -32.768), std::vector<double>(5, 32.768), 0,
                             Ackley};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("function '", name, "', expected branin, hartmann6 or ackley5"));
}

}  // namespace plumb
