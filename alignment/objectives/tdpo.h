#ifndef PLUMB_ALIGNMENT_OBJECTIVES_TDPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_TDPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Token-level DPO (Zeng et al. 2024, arXiv 2404.11999, equations 15 to 17). With d as in dpo.h and the
// sequential forward KL K(y) = sum over t of KL(pi_ref(.|y_<t) || pi(.|y_<t)), over the whole vocabulary,
//
//   TDPO1: loss = -log sigmoid(beta (d - (K(y_l) - K(y_w))))
//   TDPO2: loss = -log sigmoid(beta (d - alpha (K(y_l) - sg(K(y_w)))))
//
// where sg stops the gradient. The rewards logged are beta (log-ratio + K), as in the authors' code.
LossOutput TdpoLoss(const Tdpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_TDPO_H_
