#ifndef PLUMB_ALIGNMENT_OBJECTIVES_ROBUST_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_ROBUST_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Provably robust DPO (Chowdhury et al. 2024, arXiv 2403.00409, equation 12; TRL's `robust`): an unbiased
// estimate of DPO's loss when a share e = label_smoothing of the labels is flipped,
//
//   loss = [-(1 - e) log sigmoid(beta d) + e log sigmoid(-beta d)] / (1 - 2 e)
//
// with d as in dpo.h. It is not bounded below; cDPO, which is, is `dpo { label_smoothing }`.
LossOutput RobustDpoLoss(const RobustDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_ROBUST_DPO_H_
