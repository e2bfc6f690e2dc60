#ifndef PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_
#define PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "optim/bayesian/hyper_priors.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/lbfgsb.h"
#include "optim/core/summary.h"

namespace plumb {

// A log posterior of hyper-parameters theta [P] and its gradient, as the fits of this folder have it; NaN
// where it cannot be computed. Called from many threads.
using LogPosteriorFunction = absl::FunctionRef<double(const double* theta, double* gradient)>;

// L-BFGS-B from each start, all of P numbers, moved above `lower`. What it returns is of the negative: its
// values are minus the log posteriors.
absl::StatusOr<LbfgsbResult> MaximizeLogPosterior(LogPosteriorFunction log_posterior,
                                                  const std::vector<std::vector<double>>& starts,
                                                  const std::vector<double>& lower,
                                                  const LbfgsbOptions& options);

struct HyperParameterFit {
  std::vector<double> theta;  // [P]
  Summary summary;
};

// The maximum from the modes of the hyper-parameters' priors and options.starts() - 1 draws from these; from
// more draws where that finds none. Error: none is found then either, for `count` observations.
absl::StatusOr<HyperParameterFit> FitHyperParameters(LogPosteriorFunction log_posterior,
                                                     const HyperParameters& hyper_parameters,
                                                     const GaussianProcessOptions& options, int64_t count);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_
