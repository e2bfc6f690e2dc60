// Lahlou et al. 2023: errors that a second model predicts, where the first one's variance misleads.

#include "optim/bayesian/deup.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "optim/bayesian/bayesian_optimizer.h"
#include "optim/bayesian/fit_gaussian_process.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

// Levy's function No. 13, whose least value is 0 at (1, 1).
at::Tensor Levy13(const at::Tensor& points) {
  const at::Tensor x = points.select(1, 0), y = points.select(1, 1);
  return at::sin(3 * M_PI * x).square() + (x - 1).square() * (1 + at::sin(3 * M_PI * y).square()) +
         (y - 1).square() * (1 + at::sin(2 * M_PI * y).square());
}

absl::StatusOr<double> LogRegret(bool deup, uint64_t seed) {
  BayesianOptions options;
  options.set_initial_points(6);
  options.mutable_expected_improvement();
  if (deup) options.mutable_deup();
  PLUMB_ASSIGN_OR_RETURN(const std::unique_ptr<BayesianOptimizer> method,
                         BayesianOptimizer::Create(at::tensor({-10., -10.}, at::kDouble),
                                                   at::tensor({10., 10.}, at::kDouble), options, seed));
  MinimizeOptions limits;
  limits.mutable_stop()->set_max_evaluations(50);
  const Objective objective = [](const at::Tensor& points) -> absl::StatusOr<Evaluation> {
    return Evaluation{Levy13(points), {}};
  };
  PLUMB_ASSIGN_OR_RETURN(const MinimizeResult result, Minimize(*method, objective, limits));
  return std::log10(std::max(1e-9, result.value));
}

absl::StatusOr<Comparison> RunOptimisation(uint64_t seed) {
  Comparison comparison;
  PLUMB_ASSIGN_OR_RETURN(comparison.method, LogRegret(true, seed));
  PLUMB_ASSIGN_OR_RETURN(comparison.baseline, LogRegret(false, seed));
  return comparison;
}

std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t r = 0; r < order.size(); ++r) ranks[order[r]] = r;
  return ranks;
}

// Spearman's.
double RankCorrelation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> ranks_a = Ranks(a), ranks_b = Ranks(b);
  const double middle = (a.size() - 1) / 2.0, n = a.size();
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (ranks_a[i] - middle) * (ranks_b[i] - middle);
  return sum / (n * (n * n - 1) / 12);
}

std::vector<double> Vector(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return std::vector<double>(whole.const_data_ptr<double>(), whole.const_data_ptr<double>() + whole.numel());
}

// Smooth on the left half of [0, 1], rough on the right: no one lengthscale fits.
at::Tensor TwoHalves(const at::Tensor& x) {
  const at::Tensor right = (x > 0.5).to(at::kDouble);
  return at::sin(2 * M_PI * x) + right * at::sin(40 * M_PI * x);
}

absl::StatusOr<Comparison> RunCorrelation(uint64_t seed) {
  const RandomStream random(seed, "deup");
  const at::Tensor points = random.Child("train").UniformTensor({30, 1}, at::kDouble),
                   test = random.Child("test").UniformTensor({500, 1}, at::kDouble);
  PLUMB_ASSIGN_OR_RETURN(
      const GaussianProcessFit fit,
      FitGaussianProcess(points, TwoHalves(points.select(1, 0)), GaussianProcessOptions()));
  const auto model = std::make_shared<const GaussianProcess>(fit.model);
  PLUMB_ASSIGN_OR_RETURN(const Deup deup, Deup::Fit(model, GaussianProcessOptions()));
  const PointMoments moments = deup.At(test, false);
  const std::vector<double> errors = Vector((TwoHalves(test.select(1, 0)) - moments.means).abs());
  return Comparison{RankCorrelation(errors, Vector(moments.variances)),
                    RankCorrelation(errors, Vector(model->Posterior(test.unsqueeze(1), false).covariances))};
}

const char* const kPaper =
    "Lahlou et al. 2023, DEUP: Direct Epistemic Uncertainty Prediction (arXiv 2102.08501)";

const bool kRegistered =
    RegisterClaim(
        {"deup", kPaper,
         "Expected improvement with predicted errors in place of the process's standard deviation "
         "finds lower values.",
         "expected improvement by DEUP", "expected improvement by the process",
         "log10 of the regret on Levy's function No. 13 after 50 evaluations",
         /*lower_is_better=*/true, /*seeds=*/30,
         "one of the paper's functions, without its trust region. Believed: on a bowl with ripples, of "
         "which one lengthscale says enough, the process's own variance is the better guide, and 50 errors "
         "teach a second model little.",
         RunOptimisation}) &&
    RegisterClaim({"deup_correlation", kPaper,
                   "Where the model is misspecified, predicted errors follow true ones better than its "
                   "variance does.",
                   "DEUP", "variance of the process",
                   "rank correlation with the absolute error at 500 points of a function of two smoothnesses",
                   /*lower_is_better=*/false, /*seeds=*/30, "30 points in one dimension.", RunCorrelation});

}  // namespace
}  // namespace plumb
