#include "optim/bilevel/lv_hba.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

absl::Status CheckOptions(const LvHbaOptions& o) {
  const auto positive = [](const char* name, double value) {
    if (value > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(name, " ", value, ": must be above 0"));
  };
  PLUMB_RETURN_IF_ERROR(positive("step_xy", o.step_xy));
  PLUMB_RETURN_IF_ERROR(positive("step_z", o.step_z));
  PLUMB_RETURN_IF_ERROR(positive("step_inner", o.step_inner));
  PLUMB_RETURN_IF_ERROR(positive("gamma_1", o.gamma_1));
  PLUMB_RETURN_IF_ERROR(positive("gamma_2", o.gamma_2));
  PLUMB_RETURN_IF_ERROR(positive("penalty", o.penalty));
  return positive("multiplier_bound", o.multiplier_bound);
}

}  // namespace

absl::StatusOr<BilevelResult> MinimizeLvHba(const CoupledBilevelProblem& problem, const at::Tensor& x_0,
                                            const at::Tensor& y_0, const LvHbaOptions& options,
                                            IterationCallback callback) {
  PLUMB_RETURN_IF_ERROR(CheckOptions(options));
  StopOptions stop = options.stop;
  if (!stop.has_max_iterations()) stop.set_max_iterations(10000);
  SolverRun run(stop, std::move(callback));

  PLUMB_RETURN_IF_ERROR(CheckShape("constraint", problem.constraint(x_0, y_0), {problem.constraints}));
  const at::Tensor upper = at::full({problem.constraints}, options.multiplier_bound, at::kDouble);
  at::Tensor lower = at::zeros({problem.constraints}, at::kDouble);
  lower.narrow(0, 0, problem.equalities).fill_(-options.multiplier_bound);
  const auto project_multiplier = [&](const at::Tensor& v) {
    return at::minimum(at::maximum(v, lower), upper);
  };
  const auto lagrangian = [&](const at::Tensor& multiplier) -> TwoLevelFunction {
    return [&problem, multiplier](const at::Tensor& x, const at::Tensor& y) {
      return problem.lower(x, y).sum() + (multiplier * problem.constraint(x, y)).sum();
    };
  };

  at::Tensor x = x_0.clone(), y = y_0.clone(), theta = y_0.clone();
  at::Tensor lambda = at::zeros({problem.constraints}, at::kDouble), z = lambda;
  while (!run.MustStop()) {
    const TwoLevelGradients saddle = GradientsOf(lagrangian(lambda), x, theta, &run.calls());
    at::Tensor next_theta = theta - options.step_inner * (saddle.y + (theta - y) / options.gamma_1);
    if (problem.project_y) next_theta = problem.project_y(next_theta);
    {
      const at::NoGradGuard no_grad;
      lambda = project_multiplier(
          lambda - options.step_inner * ((lambda - z) / options.gamma_2 - problem.constraint(x, theta)));
    }
    theta = next_theta.detach();
    ++run.calls().constraints;

    const double c = options.penalty * std::pow(run.iterations() + 1, options.penalty_power);
    const TwoLevelGradients objective = GradientsOf(problem.upper, x, y, &run.calls()),
                            at_y = GradientsOf(problem.lower, x, y, &run.calls()),
                            at_theta = GradientsOf(lagrangian(lambda), x, theta, &run.calls());
    const at::Tensor x_step = objective.x / c + at_y.x - at_theta.x,
                     y_step = objective.y / c + at_y.y - (y - theta) / options.gamma_1;
    const at::Tensor trial_x = x - options.step_xy * x_step, trial_y = y - options.step_xy * y_step;
    IterationRecord record;
    record.value = objective.value;
    record.infeasibility = at_y.value - at_theta.value;
    if (!std::isfinite(objective.value + trial_x.sum().item<double>() + trial_y.sum().item<double>())) {
      return BilevelResult{
          x, y,
          run.End(Termination::kNumericalFailure,
                  absl::StrCat("not finite at iteration ", run.iterations(), "; lower the steps"))};
    }
    PLUMB_ASSIGN_OR_RETURN(const auto next, problem.project(trial_x, trial_y));
    record.optimality =
        std::max((next.first - x).abs().max().item<double>(), (next.second - y).abs().max().item<double>()) /
        options.step_xy;
    x = next.first;
    y = next.second;
    z = project_multiplier(z - options.step_z * (z - lambda) / options.gamma_2);
    run.EndIteration(record);
  }
  return BilevelResult{x, y, run.End()};
}

}  // namespace plumb
