#include "optim/bayesian/benchmark_functions.h"

#include <ATen/ops/empty.h>

#include "absl/strings/str_cat.h"
#include "optim/black_box/test_functions.h"

namespace plumb {

at::Tensor BenchmarkFunction::Values(const at::Tensor& points) const {
  const at::Tensor rows = points.to(at::kDouble).contiguous();
  at::Tensor values = at::empty({rows.size(0)}, at::kDouble);
  for (int64_t i = 0; i < rows.size(0); ++i) {
    values.mutable_data_ptr<double>()[i] = EvaluateTestFunction(
        function, {rows.const_data_ptr<double>() + i * dimension(), static_cast<size_t>(dimension())});
  }
  return values;
}

absl::StatusOr<BenchmarkFunction> FindBenchmarkFunction(const std::string& name) {
  BenchmarkFunction found;
  if (name == "branin") {
    found.function.set_name(StudyTestFunction::BRANIN);
  } else if (name == "hartmann6") {
    found.function.set_name(StudyTestFunction::HARTMANN6);
  } else if (name == "ackley5") {
    found.function.set_name(StudyTestFunction::ACKLEY);
    found.function.set_dimension(5);
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("function '", name, "', expected branin, hartmann6 or ackley5"));
  }
  for (const StudyParameter& parameter : TestFunctionParameters(found.function)) {
    found.lower.push_back(parameter.min());
    found.upper.push_back(parameter.max());
  }
  found.minimum = TestFunctionMinimum(found.function);
  return found;
}

}  // namespace plumb
