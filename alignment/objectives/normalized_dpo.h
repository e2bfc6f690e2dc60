#ifndef PLUMB_ALIGNMENT_OBJECTIVES_NORMALIZED_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_NORMALIZED_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// DPO on log-ratios per token (Lambert et al. 2024, Tulu 3, arXiv 2411.15124, equation 6; open-instruct's
// `dpo_norm`, TRL's `sigmoid_norm`):
//
//   loss = -log sigmoid(beta (lr_w / |y_w| - lr_l / |y_l|))
//
// with lr the log-ratio of policy to reference.
LossOutput NormalizedDpoLoss(const NormalizedDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_NORMALIZED_DPO_H_
