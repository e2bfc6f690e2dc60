#ifndef PLUMB_OPTIM_BAYESIAN_CONFIDENCE_BOUND_H_
#define PLUMB_OPTIM_BAYESIAN_CONFIDENCE_BOUND_H_

#include "optim/bayesian/acquisition.h"

namespace plumb {

// GP-UCB for what is minimised: -(mean - sqrt(beta) sigma). Srinivas, Krause, Kakade and Seeger 2010,
// "Gaussian Process Optimization in the Bandit Setting: No Regret and Experimental Design" (arXiv 0912.3995),
// eq. 6. beta as in BoTorch: the square of how many standard deviations.
MomentFunction LowerConfidenceBound(double beta);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_CONFIDENCE_BOUND_H_
