#include "optim/bilevel/penalty_gradient_descent.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

absl::Status CheckOptions(const PenaltyOptions& o) {
  const auto error = [](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  if (!(o.gamma > 0)) return error("gamma ", o.gamma, ": must be above 0");
  if (!(o.initial_gamma >= 0)) return error("initial_gamma ", o.initial_gamma, ": must be at least 0");
  if (!(o.step_x > 0 && o.step_y > 0 && o.step_lower > 0)) {
    return error("steps ", o.step_x, ", ", o.step_y, ", ", o.step_lower, ": must be above 0");
  }
  if (o.lower_steps < 1 && o.penalty == PenaltyOptions::Penalty::kValueFunction) {
    return error("lower_steps ", o.lower_steps, ": must be at least 1");
  }
  return absl::OkStatus();
}

// Moves `at` against a gradient, stays in the set, and says how far the farthest element went, in steps.
double Descend(const std::function<at::Tensor(const at::Tensor&)>& project, const at::Tensor& gradient,
               double step, at::Tensor* at) {
  at::Tensor next = *at - step * gradient;
  if (project) next = project(next);
  const double moved = (next - *at).abs().max().item<double>() / step;
  *at = next.detach();
  return moved;
}

class PenaltyRun {
 public:
  PenaltyRun(const BilevelProblem& problem, const at::Tensor& x, const at::Tensor& y,
             const PenaltyOptions& options, OracleCalls* calls)
      : problem_(problem), options_(options), calls_(calls), x_(x.clone()), y_(y.clone()), w_(y.clone()) {}

  // One iteration at the given gamma.
  IterationRecord Iterate(double gamma) {
    double moved = 0;
    const bool by_value = options_.penalty == PenaltyOptions::Penalty::kValueFunction;
    for (int64_t i = 0; by_value && i < options_.lower_steps; ++i) {
      const TwoLevelGradients lower = GradientsOf(problem_.lower, x_, w_, calls_);
      moved = Descend(problem_.project_y, lower.y, options_.step_lower, &w_);
    }
    const double scale = std::min(1 / gamma, 1.0);
    for (int64_t i = 0; i < options_.joint_steps; ++i) {
      const TwoLevelGradients upper = GradientsOf(problem_.upper, x_, y_, calls_);
      Descend(problem_.project_y, scale * (upper.y + gamma * Penalty().y), options_.step_y, &y_);
    }
    const TwoLevelGradients upper = GradientsOf(problem_.upper, x_, y_, calls_), penalty = Penalty();
    const double from_x =
        Descend(problem_.project_x, scale * (upper.x + gamma * penalty.x), options_.step_x, &x_);
    const double from_y =
        Descend(problem_.project_y, scale * (upper.y + gamma * penalty.y), options_.step_y, &y_);
    IterationRecord record;
    record.value = upper.value;
    record.infeasibility = penalty.value;
    record.optimality = std::max({moved, from_x, from_y});
    return record;
  }

  const at::Tensor& x() const { return x_; }
  const at::Tensor& y() const { return y_; }

 private:
  TwoLevelGradients Penalty() {
    if (options_.penalty == PenaltyOptions::Penalty::kLowerGradient) {
      return GradientsOfSquaredSlope(problem_.lower, x_, y_, calls_);
    }
    TwoLevelGradients penalty = GradientsOf(problem_.lower, x_, y_, calls_);
    const TwoLevelGradients at_w = GradientsOf(problem_.lower, x_, w_, calls_);
    penalty.value -= at_w.value;
    penalty.x = penalty.x - at_w.x;
    return penalty;
  }

  const BilevelProblem& problem_;
  const PenaltyOptions& options_;
  OracleCalls* calls_;
  at::Tensor x_, y_, w_;
};

}  // namespace

absl::StatusOr<BilevelResult> MinimizeByPenalty(const BilevelProblem& problem, const at::Tensor& x,
                                                const at::Tensor& y, const PenaltyOptions& options,
                                                IterationCallback callback) {
  PLUMB_RETURN_IF_ERROR(CheckOptions(options));
  StopOptions stop = options.stop;
  if (!stop.has_max_iterations()) stop.set_max_iterations(10000);
  SolverRun run(stop, std::move(callback));
  PenaltyRun method(problem, x, y, options, &run.calls());
  while (!run.MustStop()) {
    const at::Tensor x_before = method.x(), y_before = method.y();
    const int64_t iteration = run.iterations();
    const double risen =
        iteration < options.gamma_iterations ? double(iteration) / options.gamma_iterations : 1;
    const double gamma = options.initial_gamma + risen * (options.gamma - options.initial_gamma);
    const IterationRecord record = method.Iterate(std::max(gamma, 1e-12));
    if (!std::isfinite(record.value) || !std::isfinite(record.optimality)) {
      return BilevelResult{x_before, y_before,
                           run.End(Termination::kNumericalFailure,
                                   absl::StrCat("not finite at iteration ", iteration, "; lower the steps"))};
    }
    run.EndIteration(record);
    if (risen == 1 && record.optimality <= options.tolerance) {
      return BilevelResult{method.x(), method.y(),
                           run.End(Termination::kConverged,
                                   absl::StrCat("largest element of the projected gradient is ",
                                                record.optimality, ", tolerance ", options.tolerance))};
    }
  }
  return BilevelResult{method.x(), method.y(), run.End()};
}

}  // namespace plumb
