#include "optim/core/constrained_problem.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

bool AllFinite(const at::Tensor& tensor) {
  const double* data = tensor.const_data_ptr<double>();
  return std::all_of(data, data + tensor.numel(), [](double value) { return std::isfinite(value); });
}

absl::StatusOr<ConstrainedEvaluation> Checked(const ConstrainedProblem& problem, const at::Tensor& x,
                                              int64_t expected) {
  try {
    PLUMB_ASSIGN_OR_RETURN(ConstrainedEvaluation point, problem.evaluate(x));
    PLUMB_RETURN_IF_ERROR(CheckShape("problem's gradient", point.gradient, {x.numel()}));
    if (!point.constraints.defined()) point.constraints = at::empty({0}, at::kDouble);
    const int64_t constraints = expected == kAny ? point.constraints.numel() : expected;
    PLUMB_RETURN_IF_ERROR(CheckShape("problem's constraints", point.constraints, {constraints}));
    if (constraints < problem.equalities) {
      return absl::InvalidArgumentError(absl::StrCat(
          "problem's constraints: ", constraints, ", expected at least ", problem.equalities, " equalities"));
    }
    if (!point.jacobian.defined()) point.jacobian = at::empty({0, x.numel()}, at::kDouble);
    PLUMB_RETURN_IF_ERROR(CheckShape("problem's jacobian", point.jacobian, {constraints, x.numel()}));
    for (at::Tensor* tensor : {&point.gradient, &point.constraints, &point.jacobian}) {
      *tensor = tensor->detach().to(at::kDouble).contiguous();
    }
    if (!std::isfinite(point.value) || !AllFinite(point.gradient) || !AllFinite(point.constraints) ||
        !AllFinite(point.jacobian)) {
      return absl::OutOfRangeError("problem: a value, constraint or derivative is not finite");
    }
    return point;
  } catch (const std::exception& exception) {
    const std::string what = exception.what();
    return absl::InternalError(absl::StrCat("problem threw: ", what.substr(0, what.find('\n'))));
  }
}

}  // namespace

absl::StatusOr<ConstrainedEvaluation> EvaluateConstrained(const ConstrainedProblem& problem,
                                                          const at::Tensor& x, int64_t constraints,
                                                          OracleCalls& calls) {
  for (int64_t* count : {&calls.values, &calls.gradients, &calls.constraints, &calls.jacobians}) ++*count;
  absl::StatusOr<ConstrainedEvaluation> result = Checked(problem, x, constraints);
  if (!result.ok()) ++calls.failed;
  return result;
}

}  // namespace plumb
