#ifndef PLUMB_ALIGNMENT_OBJECTIVES_SIMPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_SIMPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Simple preference optimisation (Meng et al. 2024, arXiv 2405.14734, equation 6): with the mean
// log-probabilities per token a = log pi(y|x) / |y|, and no reference,
//
//   loss = -log sigmoid(beta (a_w - a_l) - gamma)
//
// The margin is given as `gamma` (the paper, TRL's simpo_gamma) or as `gamma_beta_ratio` = gamma / beta (the
// authors' code). AlphaPO (Gupta et al. 2025, arXiv 2501.03884) puts (1 - exp(-alpha a)) / alpha in the place
// of a; alpha = 0 is SimPO.
LossOutput SimpoLoss(const Simpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_SIMPO_H_
