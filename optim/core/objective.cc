#include "optim/core/objective.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

absl::StatusOr<Evaluation> Call(const Objective& objective, const at::Tensor& points, bool with_gradients) {
  try {
    PLUMB_ASSIGN_OR_RETURN(Evaluation result, objective(points));
    if (!result.values.defined()) return absl::InvalidArgumentError("objective: returned no values");
    PLUMB_RETURN_IF_ERROR(CheckShape("objective's values", result.values, {points.size(0)}));
    result.values = result.values.detach().to(at::kDouble).contiguous();
    if (with_gradients) {
      if (!result.gradients.defined()) return absl::InvalidArgumentError("objective: returned no gradients");
      PLUMB_RETURN_IF_ERROR(CheckShape("objective's gradients", result.gradients, points.sizes()));
      result.gradients = result.gradients.detach().to(at::kDouble).contiguous();
    }
    return result;
  } catch (const std::exception& exception) {
    const std::string what = exception.what();
    return absl::InternalError(absl::StrCat("objective threw: ", what.substr(0, what.find('\n'))));
  }
}

}  // namespace

Objective WithAutograd(std::function<at::Tensor(const at::Tensor& points)> values) {
  return [values = std::move(values)](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    const at::AutoGradMode record(true);
    const at::Tensor leaf = points.detach().requires_grad_(true);
    const at::Tensor result = values(leaf);
    const at::Tensor gradient = torch::autograd::grad({result}, {leaf}, {at::ones_like(result)})[0];
    return Evaluation{result.detach(), gradient};
  };
}

Evaluation Evaluate(const Objective& objective, const at::Tensor& points, bool with_gradients,
                    OracleCalls& calls, std::string& error) {
  const int64_t count = points.size(0), dimension = points.size(1);
  absl::StatusOr<Evaluation> result = Call(objective, points, with_gradients);
  if (!result.ok() && count > 1) {
    Evaluation rows{at::empty({count}, at::kDouble), {}};
    if (with_gradients) rows.gradients = at::empty({count, dimension}, at::kDouble);
    for (int64_t row = 0; row < count; ++row) {
      const Evaluation one = Evaluate(objective, points.narrow(0, row, 1), with_gradients, calls, error);
      rows.values.narrow(0, row, 1).copy_(one.values);
      if (with_gradients) rows.gradients.narrow(0, row, 1).copy_(one.gradients);
    }
    return rows;
  }
  calls.values += count;
  if (with_gradients) calls.gradients += count;
  if (!result.ok()) {
    error = std::string(result.status().message());
    calls.failed += count;
    return {at::full({count}, kNan, at::kDouble),
            with_gradients ? at::full(points.sizes(), kNan, at::kDouble) : at::Tensor()};
  }
  double* values = result->values.mutable_data_ptr<double>();
  const double* gradients = with_gradients ? result->gradients.const_data_ptr<double>() : nullptr;
  for (int64_t row = 0; row < count; ++row) {
    bool finite = std::isfinite(values[row]);
    for (int64_t i = 0; gradients != nullptr && i < dimension; ++i) {
      finite = finite && std::isfinite(gradients[row * dimension + i]);
    }
    if (finite) continue;
    if (error.empty())
      error = absl::StrCat("objective: value ", values[row], ", or a gradient that is not finite");
    values[row] = kNan;
    ++calls.failed;
  }
  return *std::move(result);
}

absl::Status CheckBounds(int64_t dimension, at::Tensor& lower, at::Tensor& upper) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!lower.defined()) lower = at::full({dimension}, -kInfinity, at::kDouble);
  if (!upper.defined()) upper = at::full({dimension}, kInfinity, at::kDouble);
  PLUMB_RETURN_IF_ERROR(CheckShape("lower bounds", lower, {dimension}));
  PLUMB_RETURN_IF_ERROR(CheckShape("upper bounds", upper, {dimension}));
  lower = lower.detach().to(at::kDouble).contiguous();
  upper = upper.detach().to(at::kDouble).contiguous();
  for (int64_t i = 0; i < dimension; ++i) {
    const double low = lower.const_data_ptr<double>()[i], high = upper.const_data_ptr<double>()[i];
    if (low <= high && low < kInfinity && high > -kInfinity) continue;
    return absl::InvalidArgumentError(absl::StrCat("bounds of coordinate ", i, ": [", low, ", ", high,
                                                   "] holds no number; expected lower <= upper"));
  }
  return absl::OkStatus();
}

}  // namespace plumb
