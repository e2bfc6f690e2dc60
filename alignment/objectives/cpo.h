#ifndef PLUMB_ALIGNMENT_OBJECTIVES_CPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_CPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Contrastive preference optimisation (Xu et al. 2024, arXiv 2401.08417, equations 4 to 6): DPO with a
// uniform reference and a likelihood term for the chosen answer,
//
//   loss = -(1 - e) log sigmoid(beta d) - e log sigmoid(-beta d) - cpo_alpha log pi(y_w|x) / |y_w|
//
// with d = log pi(y_w|x) - log pi(y_l|x) and e = label_smoothing. The likelihood term is per token, as TRL's.
LossOutput CpoLoss(const Cpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_CPO_H_
