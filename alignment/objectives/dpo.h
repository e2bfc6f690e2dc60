#ifndef PLUMB_ALIGNMENT_OBJECTIVES_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, equation 7). With d the log-ratio
// of policy to reference of the chosen answer less that of the rejected one,
//
//   loss = -(1 - e) log sigmoid(beta d) - e log sigmoid(-beta d)
//
// where e = label_smoothing: cDPO (Mitchell 2023, "A note on DPO with noisy preferences"). TRL's `sigmoid`
// has e = 0 and ignores its own label_smoothing there.
LossOutput DpoLoss(const Dpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_DPO_H_
