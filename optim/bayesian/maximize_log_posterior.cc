#include "optim/bayesian/maximize_log_posterior.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "optim/core/objective.h"

namespace plumb {
namespace {

constexpr int64_t kDrawsAfterFailure = 5;

}  // namespace

absl::StatusOr<LbfgsbResult> MaximizeLogPosterior(LogPosteriorFunction log_posterior,
                                                  const std::vector<std::vector<double>>& starts,
                                                  const std::vector<double>& lower,
                                                  const LbfgsbOptions& options) {
  const int64_t count = lower.size();
  const Objective objective = [&](const at::Tensor& thetas) -> absl::StatusOr<Evaluation> {
    Evaluation result{at::empty({thetas.size(0)}, at::kDouble), at::empty(thetas.sizes(), at::kDouble)};
    const double* theta = thetas.const_data_ptr<double>();
    double *value = result.values.mutable_data_ptr<double>(),
           *gradient = result.gradients.mutable_data_ptr<double>();
    at::parallel_for(0, thetas.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        value[i] = -log_posterior(theta + i * count, gradient + i * count);
        for (int64_t p = 0; p < count; ++p) gradient[i * count + p] *= -1;
      }
    });
    return result;
  };
  at::Tensor first = at::empty({static_cast<int64_t>(starts.size()), count}, at::kDouble);
  double* to = first.mutable_data_ptr<double>();
  for (const std::vector<double>& start : starts) to = std::copy(start.begin(), start.end(), to);
  at::Tensor bounds = at::empty({count}, at::kDouble);
  std::copy(lower.begin(), lower.end(), bounds.mutable_data_ptr<double>());
  return MinimizeLbfgsb(objective, first, bounds, {}, options);
}

absl::StatusOr<HyperParameterFit> FitHyperParameters(LogPosteriorFunction log_posterior,
                                                     const HyperParameters& hyper_parameters,
                                                     const GaussianProcessOptions& options, int64_t count) {
  std::vector<std::vector<double>> starts = {hyper_parameters.Mode()};
  for (int64_t i = 1; i < options.starts(); ++i) starts.push_back(hyper_parameters.Draw(i));
  const auto maximize = [&] {
    return MaximizeLogPosterior(log_posterior, starts, hyper_parameters.LowerBounds(), options.lbfgsb());
  };
  PLUMB_ASSIGN_OR_RETURN(LbfgsbResult result, maximize());
  if (result.best < 0) {
    starts.clear();
    for (int64_t i = 0; i < kDrawsAfterFailure; ++i) {
      starts.push_back(hyper_parameters.Draw(options.starts() + i));
    }
    PLUMB_ASSIGN_OR_RETURN(result, maximize());
  }
  if (result.best < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("fit of ", count, " observations: ", result.summary.BriefReport()));
  }
  const double* best = result.points.const_data_ptr<double>() + result.best * hyper_parameters.count();
  return HyperParameterFit{{best, best + hyper_parameters.count()}, std::move(result.summary)};
}

}  // namespace plumb
