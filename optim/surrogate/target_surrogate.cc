#include "optim/surrogate/target_surrogate.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

// Without l(z_t), which no choice of theta changes.
double Surrogate(const at::Tensor& target_gradient, const at::Tensor& difference, double eta) {
  return (target_gradient * difference + difference.square() / (2 * eta)).sum(at::kDouble).item<double>();
}

void Move(absl::Span<const NamedParameter> parameters, const std::vector<at::Tensor>& from, double step) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor tensor = parameters[i].tensor.detach();
    tensor.copy_(from[i]);
    if (parameters[i].tensor.grad().defined()) tensor.sub_(parameters[i].tensor.grad(), step);
  }
}

}  // namespace

absl::StatusOr<SurrogateSummary> SurrogateStep(TargetModel* model, const at::Tensor& target_gradient,
                                               const SurrogateOptions& options) {
  if (!(options.eta > 0) || !(options.step_size > 0) || options.inner_steps < 1 ||
      !(options.sufficient > 0 && options.sufficient < 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "surrogate with eta ", options.eta, ", step_size ", options.step_size, ", inner_steps ",
        options.inner_steps, ", sufficient ", options.sufficient,
        ": eta and step_size must be above 0, inner_steps at least 1, sufficient within (0, 1)"));
  }
  const absl::Span<const NamedParameter> parameters = model->Parameters();
  const at::Tensor start = model->Targets().detach();
  TORCH_CHECK(start.sizes() == target_gradient.sizes(), "the target gradient is ", target_gradient.sizes(),
              ", the targets are ", start.sizes());

  SurrogateSummary summary;
  summary.target_evaluations = 1;
  at::Tensor difference = start - start;
  double value = 0, step = options.step_size;
  for (int64_t inner = 0; inner < options.inner_steps; ++inner) {
    for (const NamedParameter& parameter : parameters) {
      at::Tensor tensor = parameter.tensor;
      tensor.mutable_grad() = at::Tensor();
    }
    model->Backward(target_gradient + difference / options.eta);
    double squared_norm = 0;
    std::vector<at::Tensor> from;
    for (const NamedParameter& parameter : parameters) {
      const at::Tensor& gradient = parameter.tensor.grad();
      if (gradient.defined()) squared_norm += gradient.square().sum(at::kDouble).item<double>();
      from.push_back(parameter.tensor.detach().clone());
    }
    if (!std::isfinite(squared_norm)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the surrogate's gradient is not finite at inner step ", inner, ": lower step_size"));
    }
    if (squared_norm == 0) break;

    double trial_value = 0;
    const auto try_step = [&] {
      Move(parameters, from, step);
      difference = model->Targets().detach() - start;
      ++summary.target_evaluations;
      trial_value = Surrogate(target_gradient, difference, options.eta);
      return !options.line_search || trial_value <= value - options.sufficient * step * squared_norm;
    };
    bool taken = try_step();
    for (int halvings = 0; !taken && halvings < 60; ++halvings) {
      step /= 2;
      taken = try_step();
    }
    if (!taken) {
      Move(parameters, from, 0);
      break;
    }
    summary.decrease += value - trial_value;
    value = trial_value;
    ++summary.inner_steps;
    if (options.line_search) step *= 2;
  }
  return summary;
}

}  // namespace plumb
