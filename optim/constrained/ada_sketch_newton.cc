#include "optim/constrained/ada_sketch_newton.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "common/tensor/shape.h"
#include "optim/constrained/sketch_and_project.h"
#include "optim/core/dot.h"

namespace plumb {
namespace {

using Solver = AdaSketchNewtonOptions::Solver;

constexpr double kLeastCurvature = 1e-6;
constexpr double kDependent = 1e-12;  // least eigenvalue of G G', times that of its largest
constexpr int kMostHalvings = 50;

absl::Status CheckOptions(const ConstrainedProblem& problem, const AdaSketchNewtonOptions& options) {
  const auto error = [](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  if (problem.lower.defined() || problem.upper.defined()) {
    return error("problem: has bounds, expected equality constraints alone");
  }
  const std::initializer_list<std::pair<const char*, double>> positive = {
      {"tolerance", options.tolerance},
      {"eta_1", options.eta_1},
      {"eta_2", options.eta_2},
      {"delta", options.delta},
      {"modification", options.modification}};
  for (const auto& [name, value] : positive) {
    if (!(value > 0)) return error(name, " ", value, ": must be above 0");
  }
  if (!(options.nu > 1)) return error("nu ", options.nu, ": must be above 1");
  if (!(options.beta > 0 && options.beta < 0.5))
    return error("beta ", options.beta, ": must be within (0, 0.5)");
  if (options.most_sketches < 1)
    return error("most_sketches ", options.most_sketches, ": must be at least 1");
  return absl::OkStatus();
}

// A point with the multipliers l of f + l'c.
struct Iterate {
  at::Tensor x, l;
  ConstrainedEvaluation at_x;
  at::Tensor slope;  // L_x

  double Residual() const { return std::hypot(Norm(slope), Norm(at_x.constraints)); }
  double Merit(double eta_1, double eta_2) const {
    return at_x.value + Dot(l, at_x.constraints) + eta_1 / 2 * Dot(at_x.constraints, at_x.constraints) +
           eta_2 / 2 * Dot(slope, slope);
  }
};

class Method {
 public:
  Method(const ConstrainedProblem& problem, const LagrangianHessian& hessian,
         const AdaSketchNewtonOptions& options, SolverRun& run)
      : problem_(problem),
        hessian_(hessian),
        options_(options),
        run_(run),
        random_(options.seed, "ada_sketch_newton"),
        eta_1_(options.eta_1),
        eta_2_(options.eta_2),
        delta_(options.delta) {}

  // An undefined l: 0 for as many constraints as there are.
  absl::StatusOr<Iterate> At(const at::Tensor& x, at::Tensor l) {
    PLUMB_ASSIGN_OR_RETURN(ConstrainedEvaluation point,
                           EvaluateConstrained(problem_, x, l.defined() ? l.numel() : kAny, run_.calls()));
    if (!l.defined()) l = at::zeros_like(point.constraints);
    if (problem_.equalities != l.numel()) {
      return absl::InvalidArgumentError(absl::StrCat("problem: ", l.numel(), " constraints, ",
                                                     problem_.equalities,
                                                     " equalities; expected equalities alone"));
    }
    Iterate iterate{x, std::move(l), std::move(point), {}};
    iterate.slope = iterate.at_x.gradient + at::mv(iterate.at_x.jacobian.t(), iterate.l);
    return iterate;
  }

  // One iteration from `iterate`, with its step in `record`; why it cannot go on, if it cannot.
  std::optional<Summary> Step(Iterate& iterate, IterationRecord& record);

  double eta_1() const { return eta_1_; }
  double eta_2() const { return eta_2_; }
  int64_t sketches() const { return sketches_; }
  double flops() const { return flops_; }

 private:
  absl::StatusOr<at::Tensor> Hessian(const Iterate& iterate);
  absl::StatusOr<at::Tensor> Given(const Iterate& iterate) const;  // by hessian_
  at::Tensor Direction(const Iterate& iterate, const at::Tensor& h, const at::Tensor& b, double xi);
  void BoundDelta(double trial) { delta_ = std::max(std::min(delta_, trial), options_.least_delta); }

  const ConstrainedProblem& problem_;
  const LagrangianHessian& hessian_;
  const AdaSketchNewtonOptions& options_;
  SolverRun& run_;
  RandomStream random_;
  double eta_1_, eta_2_, delta_;
  double slope_ = 0;  // of the merit function along the direction found
  int64_t sketches_ = 0;
  double flops_ = 0;
};

absl::StatusOr<at::Tensor> Method::Given(const Iterate& iterate) const {
  const int64_t size = iterate.x.numel();
  try {
    PLUMB_ASSIGN_OR_RETURN(at::Tensor hessian, hessian_(iterate.x, iterate.l));
    PLUMB_RETURN_IF_ERROR(CheckShape("hessian", hessian, {size, size}));
    hessian = hessian.detach().to(at::kDouble).contiguous();
    if (!std::isfinite(Norm(hessian))) return absl::OutOfRangeError("hessian: is not finite");
    return hessian;
  } catch (const std::exception& exception) {
    const std::string what = exception.what();
    return absl::InternalError(absl::StrCat("hessian threw: ", what.substr(0, what.find('\n'))));
  }
}

absl::StatusOr<at::Tensor> Method::Hessian(const Iterate& iterate) {
  const int64_t size = iterate.x.numel();
  run_.calls().hessian_vectors += size;
  if (hessian_) return Given(iterate);
  const at::Tensor hessian = at::empty({size, size}, at::kDouble);
  for (int64_t i = 0; i < size; ++i) {
    const double h = 1e-5 * std::max(1.0, std::abs(iterate.x[i].item<double>()));
    at::Tensor up = iterate.x.clone(), down = iterate.x.clone();
    up[i].add_(h);
    down[i].sub_(h);
    PLUMB_ASSIGN_OR_RETURN(const Iterate above, At(up, iterate.l));
    PLUMB_ASSIGN_OR_RETURN(const Iterate below, At(down, iterate.l));
    hessian[i].copy_((above.slope - below.slope) / (2 * h));
  }
  return (hessian + hessian.t()) / 2;
}

// B: H where it curves upwards along the constraints.
at::Tensor Modified(const at::Tensor& h, const at::Tensor& jacobian, double modification) {
  const int64_t size = h.size(0), constraints = jacobian.size(0);
  if (constraints >= size) return h;
  const at::Tensor z =
      constraints == 0
          ? at::eye(size, at::kDouble)
          : std::get<0>(at::linalg_qr(jacobian.t(), "complete")).narrow(1, constraints, size - constraints);
  const double curvature = at::linalg_eigvalsh(at::mm(z.t(), at::mm(h, z)))[0].item<double>();
  if (curvature >= kLeastCurvature) return h;
  return h + (modification + Norm(h)) * at::eye(size, at::kDouble);
}

// (dx, dl), with slope_; the penalties and the accuracy that make it descend.
at::Tensor Method::Direction(const Iterate& iterate, const at::Tensor& h, const at::Tensor& b, double xi) {
  const at::Tensor& g = iterate.at_x.jacobian;
  const int64_t constraints = g.size(0);
  const at::Tensor k =
      at::cat({at::cat({b, g.t()}, 1), at::cat({g, at::zeros({constraints, constraints}, at::kDouble)}, 1)})
          .contiguous();
  const at::Tensor side = -at::cat({iterate.slope, iterate.at_x.constraints});
  const double residual = iterate.Residual(), size = side.numel();
  const double b_norm = Norm(b);
  const double psi =
      20 * std::max(b_norm * b_norm, 1.0) / (std::min(xi, 1.0) * std::min(options_.modification, 1.0));
  const double upsilon = std::max({Norm(g), Norm(h), 1.0});
  const auto trial = [&] {
    return (0.5 - options_.beta) * eta_2_ / ((1 + eta_1_ + eta_2_) * upsilon * upsilon * psi * psi);
  };
  const double theta = options_.sharpen ? std::min(1.0, residual) : 1;
  BoundDelta(trial());

  std::optional<SketchAndProject> sketches;
  at::Tensor direction;
  if (options_.solver == Solver::kDirect) {
    direction = at::linalg_solve(k, side);
    flops_ += 2.0 / 3 * size * size * size;
  } else {
    sketches =
        SketchAndProject::Create(k, side,
                                 options_.solver == Solver::kKaczmarz ? SketchAndProject::Sketch::kKaczmarz
                                                                      : SketchAndProject::Sketch::kGaussian,
                                 random_.Child(static_cast<uint64_t>(run_.iterations())))
            .value();
  }
  const double k_norm = Norm(k);
  while (true) {
    if (sketches) {
      sketches->Solve(theta * delta_ * residual / (k_norm * psi), options_.most_sketches);
      direction = at::tensor(sketches->solution(), at::kDouble);
    }
    const at::Tensor merit_slope = at::cat(
        {iterate.slope + eta_2_ * at::mv(h, iterate.slope) + eta_1_ * at::mv(g.t(), iterate.at_x.constraints),
         iterate.at_x.constraints + eta_2_ * at::mv(g, iterate.slope)});
    slope_ = Dot(merit_slope, direction);
    const bool limit = eta_1_ > options_.most_eta_1 || eta_2_ < options_.least_eta_2;
    if (slope_ <= -eta_2_ / 2 * residual * residual || limit) break;
    eta_1_ *= options_.nu * options_.nu;
    eta_2_ /= options_.nu;
    delta_ /= std::pow(options_.nu, 4);
    BoundDelta(trial());
  }
  if (sketches) {
    sketches_ += sketches->steps();
    flops_ += sketches->flops();
  }
  return direction;
}

std::optional<Summary> Method::Step(Iterate& iterate, IterationRecord& record) {
  const absl::StatusOr<at::Tensor> hessian = Hessian(iterate);
  if (!hessian.ok()) {
    return run_.End(Termination::kNumericalFailure,
                    absl::StrCat("the Hessian failed: ", hessian.status().message()));
  }
  const at::Tensor& h = *hessian;
  const at::Tensor& g = iterate.at_x.jacobian;
  double xi = 1;
  if (g.size(0) > 0) {
    const at::Tensor eigenvalues = at::linalg_eigvalsh(at::mm(g, g.t()));
    xi = eigenvalues[0].item<double>();
    if (!(xi > kDependent * eigenvalues[-1].item<double>())) {
      return run_.End(Termination::kNumericalFailure,
                      absl::StrCat("the constraints' gradients depend on each other: the least eigenvalue of "
                                   "G G' is ",
                                   xi));
    }
  }
  const at::Tensor direction = Direction(iterate, h, Modified(h, g, options_.modification), xi);
  const int64_t size = iterate.x.numel(), constraints = g.size(0);
  const at::Tensor dx = direction.narrow(0, 0, size), dl = direction.narrow(0, size, constraints);
  const double merit = iterate.Merit(eta_1_, eta_2_);
  double step = 1;
  for (int halvings = 0; halvings < kMostHalvings; ++halvings, step /= 2) {
    absl::StatusOr<Iterate> next = At(iterate.x + step * dx, iterate.l + step * dl);
    // Rounding hides what is below the last digits of the merit function.
    const double room = 1e-14 * std::abs(merit);
    if (next.ok() && next->Merit(eta_1_, eta_2_) <= merit + step * options_.beta * slope_ + room) {
      iterate = *std::move(next);
      record.step = step * Norm(dx.contiguous());
      return std::nullopt;
    }
  }
  return run_.End(
      Termination::kStalled,
      absl::StrCat("no step lowers the augmented Lagrangian with penalties ", eta_1_, " and ", eta_2_));
}

}  // namespace

absl::StatusOr<AdaSketchNewtonResult> MinimizeAdaSketchNewton(const ConstrainedProblem& problem,
                                                              const LagrangianHessian& hessian,
                                                              const at::Tensor& start,
                                                              const AdaSketchNewtonOptions& options,
                                                              IterationCallback callback) {
  PLUMB_RETURN_IF_ERROR(CheckShape("start", start, {kAny}));
  PLUMB_RETURN_IF_ERROR(CheckOptions(problem, options));
  if (options.multipliers.defined()) {
    PLUMB_RETURN_IF_ERROR(CheckShape("multipliers", options.multipliers, {problem.equalities}));
  }
  const at::NoGradGuard no_grad;
  StopOptions stop = options.stop;
  if (!stop.has_max_iterations()) stop.set_max_iterations(1000);
  SolverRun run(stop, std::move(callback));
  Method method(problem, hessian, options, run);
  AdaSketchNewtonResult result;
  result.x = start.detach().to(at::kDouble).contiguous();
  absl::StatusOr<Iterate> first = method.At(
      result.x, options.multipliers.defined() ? -options.multipliers.detach().to(at::kDouble) : at::Tensor());
  if (!first.ok()) {
    result.summary = run.End(Termination::kNumericalFailure,
                             absl::StrCat("the first point failed: ", first.status().message()));
    return result;
  }
  Iterate iterate = *std::move(first);
  const auto infeasibility = [&] {
    const at::Tensor& c = iterate.at_x.constraints;
    return c.numel() > 0 ? c.abs().max().item<double>() : 0;
  };
  const auto end = [&](Summary summary) {
    result.x = iterate.x;
    result.constraints = iterate.at_x.constraints;
    result.multipliers = -iterate.l;
    result.penalty = method.eta_1();
    result.eta_2 = method.eta_2();
    result.sketches = method.sketches();
    result.solver_flops = method.flops();
    summary.value = iterate.at_x.value;
    summary.optimality = iterate.Residual();
    summary.infeasibility = infeasibility();
    result.summary = std::move(summary);
    return result;
  };
  while (true) {
    if (iterate.Residual() <= options.tolerance) {
      return end(run.End(Termination::kConverged, absl::StrCat("KKT residual ", iterate.Residual(),
                                                               ", tolerance ", options.tolerance)));
    }
    if (run.MustStop()) return end(run.End());
    IterationRecord record;
    if (std::optional<Summary> over = method.Step(iterate, record)) return end(*std::move(over));
    record.value = iterate.at_x.value;
    record.optimality = iterate.Residual();
    record.infeasibility = infeasibility();
    run.EndIteration(record);
  }
}

}  // namespace plumb
