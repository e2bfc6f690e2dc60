// Frazier 2018: a model and an acquisition find a minimum in few evaluations.

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "common/status/status_macros.h"
#include "optim/bayesian/bayesian_optimizer.h"
#include "optim/bayesian/benchmark_functions.h"
#include "optim/core/ask_tell.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

// log10 of the distance to the least value of Hartmann's function of six variables after 40 evaluations.
absl::StatusOr<double> LogRegret(AskTell* method) {
  PLUMB_ASSIGN_OR_RETURN(const BenchmarkFunction function, FindBenchmarkFunction("hartmann6"));
  const Objective objective = [&](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    return Evaluation{function.Values(points), {}};
  };
  MinimizeOptions options;
  options.mutable_stop()->set_max_evaluations(40);
  PLUMB_ASSIGN_OR_RETURN(const MinimizeResult result, Minimize(*method, objective, options));
  return std::log10(std::max(1e-9, result.value - function.minimum));
}

absl::StatusOr<Comparison> Run(uint64_t seed) {
  const at::Tensor lower = at::zeros({6}, at::kDouble), upper = at::ones({6}, at::kDouble);
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<BayesianOptimizer> bayesian,
                         BayesianOptimizer::Create(lower, upper, BayesianOptions(), seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.method, LogRegret(bayesian.get()));
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<AskTell> sobol, MakeSobolSearch(lower, upper, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, LogRegret(sobol.get()));
  return comparison;
}

const bool kRegistered =
    RegisterClaim({"bayesian", "Frazier 2018, A Tutorial on Bayesian Optimization (arXiv 1807.02811)",
                   "Bayesian optimisation with expected improvement comes closer to the minimum than a "
                   "space-filling design of as many "
                   "evaluations.",
                   "Gaussian process, log expected improvement", "scrambled Sobol points",
                   "log10 of the regret on Hartmann6 after 40 evaluations", /*lower_is_better=*/true,
                   /*seeds=*/30, "one function, without noise.", Run});

}  // namespace
}  // namespace plumb
