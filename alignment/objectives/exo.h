#ifndef PLUMB_ALIGNMENT_OBJECTIVES_EXO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_EXO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Efficient exact optimisation on pairs (Ji et al. 2024, arXiv 2402.00856, equation 16; TRL's `exo_pair`):
// the reverse KL of the policy's preference q = sigmoid(beta d) to the labels' (1 - e, e),
//
//   loss = q log(q / (1 - e)) + (1 - q) log((1 - q) / e)
//
// with d as in dpo.h and e = label_smoothing, which cannot be 0.
LossOutput ExoLoss(const Exo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_EXO_H_
