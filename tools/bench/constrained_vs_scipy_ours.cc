// Our half of constrained_vs_scipy, and the oracle of both: Hock and Schittkowski's problems. Answers lines
// of JSON by lines of JSON:
//   {"list": true}                                 the problems
//   {"evaluate": NUMBER, "x": [...]}               everything at a point
//   {"solve": NUMBER, "tolerance": T}              where MinimizeAugmentedLagrangian ends

#include <ATen/ops/tensor.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/core/augmented_lagrangian.h"
#include "optim/core/hock_schittkowski.h"
#include "tools/bench/answer_lines.h"

namespace plumb {
namespace {

at::Tensor Tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

std::vector<double> Vector(const at::Tensor& tensor) {
  const double* data = tensor.const_data_ptr<double>();
  return std::vector<double>(data, data + tensor.numel());
}

absl::StatusOr<const HockSchittkowskiProblem*> Find(int number) {
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    if (problem.number == number) return &problem;
  }
  return absl::NotFoundError(absl::StrCat("there is no problem ", number));
}

// Infinite bounds are null, as JSON has no infinity.
nlohmann::json List() {
  nlohmann::json list = nlohmann::json::array();
  for (const HockSchittkowskiProblem& problem : HockSchittkowskiProblems()) {
    list.push_back({{"number", problem.number},
                    {"start", problem.start},
                    {"lower", problem.lower},
                    {"upper", problem.upper},
                    {"equalities", problem.equalities},
                    {"constraints", problem.evaluate(problem.start).constraints.size()},
                    {"optimum", problem.optimum}});
  }
  return list;
}

nlohmann::json EvaluateAt(const HockSchittkowskiProblem& problem, const std::vector<double>& x) {
  const HockSchittkowskiPoint point = problem.evaluate(x);
  return {{"value", point.value},
          {"gradient", point.gradient},
          {"constraints", point.constraints},
          {"jacobian", point.jacobian}};
}

absl::StatusOr<nlohmann::json> Solve(const HockSchittkowskiProblem& problem, double tolerance) {
  ConstrainedProblem functions;
  functions.equalities = problem.equalities;
  functions.lower = Tensor(problem.lower);
  functions.upper = Tensor(problem.upper);
  functions.evaluate = [&](const at::Tensor& x) {
    const HockSchittkowskiPoint point = problem.evaluate(Vector(x));
    const int64_t constraints = point.constraints.size();
    return ConstrainedEvaluation{point.value, Tensor(point.gradient), Tensor(point.constraints),
                                 Tensor(point.jacobian).view({constraints, x.numel()})};
  };
  AugmentedLagrangianOptions options;
  options.set_feasibility_tolerance(tolerance);
  options.set_optimality_tolerance(tolerance);
  PLUMB_ASSIGN_OR_RETURN(const ConstrainedResult result,
                         MinimizeAugmentedLagrangian(functions, Tensor(problem.start), options));
  return nlohmann::json{{"x", Vector(result.x)},
                        {"evaluations", result.summary.calls.values},
                        {"converged", result.summary.converged()}};
}

absl::StatusOr<nlohmann::json> Answer(const nlohmann::json& request) {
  if (request.contains("list")) return List();
  const bool solve = request.contains("solve");
  PLUMB_ASSIGN_OR_RETURN(const HockSchittkowskiProblem* problem,
                         Find(request.at(solve ? "solve" : "evaluate").get<int>()));
  if (solve) return Solve(*problem, request.at("tolerance"));
  return EvaluateAt(*problem, request.at("x").get<std::vector<double>>());
}

}  // namespace
}  // namespace plumb

int main() {
  const absl::Status status = plumb::AnswerLines(plumb::Answer);
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 2;
}
