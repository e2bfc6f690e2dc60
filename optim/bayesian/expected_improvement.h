#ifndef PLUMB_OPTIM_BAYESIAN_EXPECTED_IMPROVEMENT_H_
#define PLUMB_OPTIM_BAYESIAN_EXPECTED_IMPROVEMENT_H_

#include "optim/bayesian/acquisition.h"

namespace plumb {

// With u = (best - mean) / sigma, `best` being the least value so far.

// E[max(best - f, 0)] = sigma (phi(u) + u Phi(u)). Mockus 1975; Jones, Schonlau and Welch 1998; Frazier 2018
// (arXiv 1807.02811), eq. 8.
MomentFunction ExpectedImprovement(double best);

// Its logarithm, which has a gradient where the expectation itself rounds to 0. Ament et al. 2023 (arXiv
// 2310.20708), eq. 8.
MomentFunction LogExpectedImprovement(double best);

// Phi(u), and its logarithm. Kushner 1964, "A New Method of Locating the Maximum Point of an Arbitrary
// Multipeak Curve in the Presence of Noise".
MomentFunction ProbabilityOfImprovement(double best);
MomentFunction LogProbabilityOfImprovement(double best);

// log P(c >= 0) = log Phi(mean / sigma) for a constraint c >= 0. Added to the logarithm of the expected
// improvement it makes that of the constrained one (Gardner et al. 2014, "Bayesian Optimization with
// Inequality Constraints", eq. 6; Frazier 2018, section 5.4).
MomentFunction LogProbabilityOfFeasibility();

// EI(x) times P(c_i(x) >= 0) for each constraint's model, as a logarithm; by feasibility alone while there is
// no `best` (NaN).
MomentAcquisition LogConstrainedExpectedImprovement(
    std::shared_ptr<const GaussianProcess> objective,
    const std::vector<std::shared_ptr<const GaussianProcess>>& constraints, double best);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_EXPECTED_IMPROVEMENT_H_
