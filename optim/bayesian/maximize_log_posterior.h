#ifndef PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_
#define PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "optim/core/lbfgsb.h"

namespace plumb {

// A log posterior of hyper-parameters theta [P] and its gradient, as the fits of this folder have it; NaN
// where it cannot be computed. Called from many threads.
using LogPosteriorFunction = absl::FunctionRef<double(const double* theta, double* gradient)>;

// L-BFGS-B from each start, all of P numbers, above `lower`. What it returns is of the negative: its values
// are minus the log posteriors.
absl::StatusOr<LbfgsbResult> MaximizeLogPosterior(LogPosteriorFunction log_posterior,
                                                  const std::vector<std::vector<double>>& starts,
                                                  const std::vector<double>& lower,
                                                  const LbfgsbOptions& options);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_MAXIMIZE_LOG_POSTERIOR_H_
