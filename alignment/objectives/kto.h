#ifndef PLUMB_ALIGNMENT_OBJECTIVES_KTO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_KTO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv 2402.01306, equations 7 and 8; TRL's `kto`): a
// label for each answer instead of pairs. With the log-ratio lr of policy to reference, the estimate z of
// KL(policy || reference) as baseline, s = sigmoid, and the weights D and U of good and bad answers,
//
//   good: loss = D (1 - s(beta (lr - z)))        bad: loss = U (1 - s(beta (z - lr)))
//
// The paper advises weights such that D n_good / (U n_bad) is between 1 and 4/3.
LossOutput KtoLoss(const Kto& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_KTO_H_
