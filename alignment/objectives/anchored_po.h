#ifndef PLUMB_ALIGNMENT_OBJECTIVES_ANCHORED_PO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_ANCHORED_PO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Anchored preference optimisation (D'Oosterlinck et al. 2024, arXiv 2408.06266, equations 7 and 8; TRL's
// `apo_zero` and `apo_down`). With the implicit rewards r = beta (log pi - log pi_ref),
//
//   ZERO: loss = 1 - sigmoid(r_w) + sigmoid(r_l)         chosen answers are better than the model's own
//   DOWN: loss = sigmoid(r_w) + 1 - sigmoid(r_w - r_l)   chosen answers are worse than the model's own
//
// Not the "APO" of accelerated preference optimisation (arXiv 2410.06293).
LossOutput AnchoredPoLoss(const AnchoredPo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_ANCHORED_PO_H_
