#ifndef PLUMB_ALIGNMENT_OBJECTIVES_ASFT_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_ASFT_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Aligned supervised fine-tuning (Wang et al. 2024, arXiv 2409.10571). With p and o as in orpo.h, and no
// reference,
//
//   loss = -log pi(y_w|x) / |y_w| + beta (-log sigmoid(o_w) - log sigmoid(-o_l))
//
// Since sigmoid(o) = p, the second term is -log p_w - log(1 - p_l): each answer is judged by itself, so the
// gradient does not favour lowering the rejected answer as DPO's does. The weight's name and default were not
// verified against the authors' code.
LossOutput AsftLoss(const Asft& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_ASFT_H_
