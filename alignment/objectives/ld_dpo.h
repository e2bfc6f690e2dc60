#ifndef PLUMB_ALIGNMENT_OBJECTIVES_LD_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_LD_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Length-desensitised DPO, LD-DPO (Liu et al. 2024, "Length Desensitization in Direct Preference
// Optimization", arXiv 2409.06411; TRL's `ld_alpha`): what an answer has beyond the length of the shorter one
// counts less. With s = min(|y_w|, |y_l|) tokens and a = ld_alpha,
//
//   D(y) = sum over t <= s of r_t + a sum over t > s of r_t,
//   r_t = log pi(y_t|x, y_<t) - log pi_ref(y_t|x, y_<t)
//   loss = -log sigmoid(beta (D(y_w) - D(y_l)))
//
// a = 1 is DPO. The rewards that are logged are beta D, as in TRL. The paper's best a differs by model; the
// default is the middle of its range. The number of its equation was not verified.
LossOutput LdDpoLoss(const LdDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_LD_DPO_H_
