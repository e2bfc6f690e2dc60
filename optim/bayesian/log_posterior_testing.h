#ifndef PLUMB_OPTIM_BAYESIAN_LOG_POSTERIOR_TESTING_H_
#define PLUMB_OPTIM_BAYESIAN_LOG_POSTERIOR_TESTING_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "optim/bayesian/maximize_log_posterior.h"

namespace plumb {

// Expects the gradient at theta to be central differences within 1e-8; `where` begins a failure's message.
// `log_posterior` takes a null gradient too.
inline void ExpectGradientIsFiniteDifferences(LogPosteriorFunction log_posterior,
                                              const std::vector<double>& theta,
                                              const std::string& where = "") {
  std::vector<double> gradient(theta.size());
  log_posterior(theta.data(), gradient.data());
  for (size_t p = 0; p < theta.size(); ++p) {
    std::vector<double> above = theta, below = theta;
    above[p] += 1e-5;
    below[p] -= 1e-5;
    EXPECT_NEAR(gradient[p],
                (log_posterior(above.data(), nullptr) - log_posterior(below.data(), nullptr)) / 2e-5, 1e-8)
        << where << " " << p;
  }
}

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_LOG_POSTERIOR_TESTING_H_
