#include "optim/core/augmented_lagrangian.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"
#include "optim/core/dot.h"
#include "optim/core/lbfgsb.h"
#include "optim/core/objective.h"

namespace plumb {
namespace {

constexpr double kMostMultiplier = 1e20;
constexpr double kMostInitialPenalty = 10;
constexpr double kMostScale = 1000;  // of a constraint that is flat at the start
// Relative to the largest.
constexpr double kLeastCurvature = 1e-14;
// For a second try from the start, when the first got stuck where violations have a local minimum.
constexpr double kSecondPenalty = 1e5;

// The problem with its scales.
class ScaledProblem {
 public:
  ScaledProblem(const ConstrainedProblem& problem, SolverRun& run) : problem_(problem), run_(run) {}

  // The first evaluation, from which scales and sizes are taken.
  absl::StatusOr<ConstrainedEvaluation> Start(const at::Tensor& x, double max_gradient) {
    PLUMB_ASSIGN_OR_RETURN(const ConstrainedEvaluation first, Evaluate(x));
    const auto largest = [&](const double* gradient) {
      double result = 0;
      for (int64_t i = 0; i < x.numel(); ++i) result = std::max(result, std::abs(gradient[i]));
      return result;
    };
    const double most = largest(first.gradient.const_data_ptr<double>());
    value_scale_ = most > max_gradient ? max_gradient / most : 1;
    for (int64_t i = 0; i < first.constraints.numel(); ++i) {
      const double size = largest(first.jacobian.const_data_ptr<double>() + i * x.numel());
      // A gradient of zero says nothing of the constraint's size elsewhere.
      const double wanted = size > 0 ? std::clamp(size, std::min(1.0, max_gradient), max_gradient) / size : 1;
      scales_.push_back(std::min(wanted, kMostScale));
    }
    started_ = true;
    return first;
  }

  int64_t constraints() const { return scales_.size(); }
  int64_t equalities() const { return problem_.equalities; }
  double value_scale() const { return value_scale_; }
  double scale(int64_t i) const { return scales_[i]; }

  bool has_curvatures() const { return problem_.curvatures != nullptr; }
  // Of the scaled Lagrangian at such multipliers, [D].
  at::Tensor Curvatures(const at::Tensor& x, const std::vector<double>& multipliers) const {
    const at::Tensor unscaled = at::empty({constraints()}, at::kDouble);
    for (int64_t i = 0; i < constraints(); ++i) {
      unscaled.mutable_data_ptr<double>()[i] = multipliers[i] * scales_[i] / value_scale_;
    }
    return (value_scale_ * problem_.curvatures(x, unscaled)).to(at::kDouble).contiguous();
  }

  // Not scaled.
  absl::StatusOr<ConstrainedEvaluation> Evaluate(const at::Tensor& x) {
    return EvaluateConstrained(problem_, x, started_ ? constraints() : kAny, run_.calls());
  }

 private:
  const ConstrainedProblem& problem_;
  SolverRun& run_;
  bool started_ = false;
  double value_scale_ = 1;
  std::vector<double> scales_;
};

// The Lagrangian with its penalty, for L-BFGS-B.
struct AugmentedLagrangian {
  ScaledProblem& problem;
  std::vector<double> multipliers;
  double penalty = 0;

  // l - rho c, which is the multiplier that makes the gradient that of the plain Lagrangian; at least 0 for
  // inequalities.
  double Updated(int64_t i, double constraint) const {
    const double updated = multipliers[i] - penalty * problem.scale(i) * constraint;
    return i < problem.equalities() ? updated : std::max(0.0, updated);
  }

  // The diagonal of its Hessian at a point, by the problem's curvatures and the first derivatives of c, under
  // a square root; undefined where the problem gives no curvatures.
  at::Tensor VariableScales(const at::Tensor& x, const ConstrainedEvaluation& point) const {
    if (!problem.has_curvatures()) return {};
    const int64_t size = x.numel();
    std::vector<double> updated(problem.constraints());
    for (int64_t i = 0; i < problem.constraints(); ++i) {
      updated[i] = Updated(i, point.constraints.const_data_ptr<double>()[i]);
    }
    const at::Tensor result = problem.Curvatures(x, updated);
    double* diagonal = result.mutable_data_ptr<double>();
    const double* slopes = point.jacobian.const_data_ptr<double>();
    for (int64_t i = 0; i < problem.constraints(); ++i) {
      if (updated[i] == 0) continue;
      const double weight = penalty * problem.scale(i) * problem.scale(i);
      for (int64_t d = 0; d < size; ++d) diagonal[d] += weight * slopes[i * size + d] * slopes[i * size + d];
    }
    const double most = *std::max_element(diagonal, diagonal + size);
    for (int64_t d = 0; d < size; ++d) diagonal[d] = std::sqrt(std::max(diagonal[d] / most, kLeastCurvature));
    return most > 0 ? result : at::Tensor();
  }

  absl::StatusOr<Evaluation> operator()(const at::Tensor& points) const {
    const int64_t size = points.size(1);
    const Evaluation result{at::empty({points.size(0)}, at::kDouble), at::empty(points.sizes(), at::kDouble)};
    for (int64_t row = 0; row < points.size(0); ++row) {
      PLUMB_ASSIGN_OR_RETURN(const ConstrainedEvaluation point, problem.Evaluate(points[row]));
      double value = problem.value_scale() * point.value;
      double* gradient = result.gradients.mutable_data_ptr<double>() + row * size;
      const double *plain = point.gradient.const_data_ptr<double>(),
                   *slopes = point.jacobian.const_data_ptr<double>();
      for (int64_t d = 0; d < size; ++d) gradient[d] = problem.value_scale() * plain[d];
      for (int64_t i = 0; i < problem.constraints(); ++i) {
        const double updated = Updated(i, point.constraints.const_data_ptr<double>()[i]);
        // (l - rho c)^2 - l^2 over 2 rho.
        value += (updated - multipliers[i]) * (updated + multipliers[i]) / (2 * penalty);
        if (updated == 0) continue;
        for (int64_t d = 0; d < size; ++d) gradient[d] -= updated * problem.scale(i) * slopes[i * size + d];
      }
      result.values.mutable_data_ptr<double>()[row] = value;
    }
    return result;
  }
};

// Largest violation without scales; what a penalty must bring down, with them: violations, and slack of
// constraints whose multiplier says that they hold with equality.
struct Violations {
  double unscaled = 0, scaled = 0, squares = 0;
};

Violations Measure(const AugmentedLagrangian& lagrangian, const at::Tensor& constraints) {
  Violations result;
  const double* c = constraints.const_data_ptr<double>();
  for (int64_t i = 0; i < constraints.numel(); ++i) {
    const double scaled = lagrangian.problem.scale(i) * c[i];
    const bool equality = i < lagrangian.problem.equalities();
    const double violation = equality ? std::abs(c[i]) : std::max(0.0, -c[i]);
    result.unscaled = std::max(result.unscaled, violation);
    result.squares += violation * violation * lagrangian.problem.scale(i) * lagrangian.problem.scale(i);
    const double slack = equality ? scaled : std::min(scaled, lagrangian.multipliers[i] / lagrangian.penalty);
    result.scaled = std::max(result.scaled, std::abs(slack));
  }
  return result;
}

// The sub-problem's minimum, in variables times `scales` (may be undefined). The limits of the whole run hold
// within it too.
absl::StatusOr<LbfgsbResult> MinimizeScaled(const AugmentedLagrangian& lagrangian, const at::Tensor& scales,
                                            const at::Tensor& from, const at::Tensor& lower,
                                            const at::Tensor& upper, const LbfgsbOptions& options,
                                            SolverRun& run) {
  const auto go_on = [&](const IterationRecord&) { return !run.MustStop(); };
  if (!scales.defined()) {
    return MinimizeLbfgsb(lagrangian, from.unsqueeze(0), lower, upper, options, go_on);
  }
  const Objective scaled = [&](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    PLUMB_ASSIGN_OR_RETURN(Evaluation result, lagrangian(points / scales));
    result.gradients.div_(scales);
    return result;
  };
  PLUMB_ASSIGN_OR_RETURN(LbfgsbResult solved, MinimizeLbfgsb(scaled, (from * scales).unsqueeze(0),
                                                             lower * scales, upper * scales, options, go_on));
  solved.points = at::max(at::min(solved.points / scales, upper), lower);
  solved.gradients.mul_(scales);
  const at::Tensor step = at::max(at::min(solved.points - solved.gradients, upper), lower) - solved.points;
  solved.summary.optimality = step.abs().max().item<double>();
  return solved;
}

}  // namespace

absl::StatusOr<ConstrainedResult> MinimizeAugmentedLagrangian(const ConstrainedProblem& problem,
                                                              const at::Tensor& start,
                                                              const AugmentedLagrangianOptions& options,
                                                              IterationCallback callback) {
  PLUMB_RETURN_IF_ERROR(CheckShape("start", start, {kAny}));
  at::Tensor lower = problem.lower, upper = problem.upper;
  PLUMB_RETURN_IF_ERROR(CheckBounds(start.numel(), lower, upper));
  const at::NoGradGuard no_grad;
  StopOptions stop = options.stop();
  if (!stop.has_max_iterations()) stop.set_max_iterations(100);
  SolverRun run(stop, std::move(callback));
  ScaledProblem scaled(problem, run);
  ConstrainedResult result;
  result.x = start.detach().to(at::kDouble).clamp(lower, upper).contiguous();
  absl::StatusOr<ConstrainedEvaluation> first = scaled.Start(result.x, options.max_scaled_gradient());
  if (!first.ok()) {
    result.summary = run.End(Termination::kNumericalFailure,
                             absl::StrCat("the first point failed: ", first.status().message()));
    return result;
  }

  const int64_t constraints = scaled.constraints();
  AugmentedLagrangian lagrangian{scaled, std::vector<double>(constraints), 1};
  ConstrainedEvaluation point = *std::move(first);  // at result.x
  Violations violations = Measure(lagrangian, point.constraints);
  // A penalty term of the size of the objective, within reason (equation 12.1 of the book).
  lagrangian.penalty = options.has_initial_penalty()
                           ? options.initial_penalty()
                           : std::clamp(10 * std::max(1.0, std::abs(scaled.value_scale() * point.value)) /
                                            std::max(1.0, violations.squares / 2),
                                        1e-3, kMostInitialPenalty);
  double inner_tolerance = std::sqrt(options.optimality_tolerance());
  double last_violation = std::numeric_limits<double>::infinity(), optimality = IterationRecord::kNone;
  const at::Tensor first_x = result.x;
  at::Tensor from = first_x;  // where the next sub-problem begins
  bool restarted = false;
  int idle = 0;  // sub-problems in a row that were over before they began
  const auto figures = [&] {
    return absl::StrCat("projected gradient ", optimality, ", largest violation ", violations.unscaled);
  };
  const auto end = [&](Summary summary) {
    result.constraints = point.constraints;
    result.multipliers = at::zeros({constraints}, at::kDouble);
    for (int64_t i = 0; i < constraints; ++i) {
      result.multipliers.mutable_data_ptr<double>()[i] =
          lagrangian.multipliers[i] * scaled.scale(i) / scaled.value_scale();
    }
    result.penalty = lagrangian.penalty;
    summary.value = point.value;
    summary.optimality = optimality;
    summary.infeasibility = violations.unscaled;
    result.summary = std::move(summary);
    return result;
  };

  while (!run.MustStop()) {
    LbfgsbOptions inner = options.inner();
    inner.set_gtol(std::max(inner_tolerance, options.optimality_tolerance()));
    if (!inner.has_ftol()) inner.set_ftol(0);
    if (!inner.stop().has_max_iterations()) inner.mutable_stop()->set_max_iterations(1000);
    PLUMB_ASSIGN_OR_RETURN(
        const LbfgsbResult solved,
        MinimizeScaled(lagrangian, lagrangian.VariableScales(from, point), from, lower, upper, inner, run));
    const Termination inner_end = solved.summary.termination;
    const at::Tensor found = solved.points[0].contiguous();
    absl::StatusOr<ConstrainedEvaluation> there = scaled.Evaluate(found);
    // A sub-problem without a minimum says nothing of multipliers: again, with a larger penalty.
    const bool lost = !there.ok() || inner_end == Termination::kUnbounded || solved.best < 0;
    IterationRecord record;
    if (!lost) {
      record.step = Norm(found - result.x);
      result.x = from = found;
      point = *std::move(there);
      for (int64_t i = 0; i < constraints; ++i) {
        const double updated = lagrangian.Updated(i, point.constraints.const_data_ptr<double>()[i]);
        lagrangian.multipliers[i] = std::clamp(updated, -kMostMultiplier, kMostMultiplier);
      }
      violations = Measure(lagrangian, point.constraints);
      optimality = solved.summary.optimality;
    }
    record.value = point.value;
    record.optimality = optimality;
    record.infeasibility = violations.unscaled;
    run.EndIteration(record);
    if (!lost && violations.unscaled <= options.feasibility_tolerance() &&
        violations.scaled <= options.feasibility_tolerance() &&
        optimality <= options.optimality_tolerance()) {
      return end(run.End(Termination::kConverged, figures()));
    }
    if (run.MustStop()) break;
    inner_tolerance *= 0.1;
    const bool feasible = violations.scaled <= options.feasibility_tolerance();
    idle = solved.summary.iterations == 0 && feasible ? idle + 1 : 0;
    if (idle == 3) {
      return end(run.End(Termination::kStalled, absl::StrCat("no further progress; ", figures())));
    }
    if (lost || (!feasible && violations.scaled > 0.25 * last_violation)) {
      lagrangian.penalty *= options.penalty_growth();
      if (lagrangian.penalty > options.max_penalty()) {
        lagrangian.penalty /= options.penalty_growth();
        if (inner_end == Termination::kUnbounded) {
          return end(run.End(Termination::kUnbounded, solved.summary.reason));
        }
        const bool nearly = violations.unscaled <= std::sqrt(options.feasibility_tolerance());
        if (nearly || restarted) {
          return end(run.End(nearly ? Termination::kStalled : Termination::kInfeasible,
                             absl::StrCat("penalty has reached ", lagrangian.penalty, "; ", figures())));
        }
        restarted = true;
        from = first_x;
        lagrangian.penalty = std::min(kSecondPenalty, options.max_penalty());
        std::fill(lagrangian.multipliers.begin(), lagrangian.multipliers.end(), 0);
        inner_tolerance = std::sqrt(options.optimality_tolerance());
        last_violation = std::numeric_limits<double>::infinity();
        continue;
      }
    }
    if (!lost) last_violation = violations.scaled;
  }
  return end(run.End());
}

}  // namespace plumb
