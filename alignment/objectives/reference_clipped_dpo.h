#ifndef PLUMB_ALIGNMENT_OBJECTIVES_REFERENCE_CLIPPED_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_REFERENCE_CLIPPED_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Hybrid DPO, HyPO of arXiv 2602.11902: the reference counts only where it already prefers the chosen answer.
// With D = log pi(y_w|x) - log pi(y_l|x),
//
//   loss = -log sigmoid(beta (D_policy - max(0, D_reference)))
//
// so that a reference which is wrong about a pair does not end the learning early. Not the "HyPO" of Song et
// al. 2024 (arXiv 2406.01462), which adds an on-policy KL. From the abstract; constants were not verified.
LossOutput ReferenceClippedDpoLoss(const ReferenceClippedDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_REFERENCE_CLIPPED_DPO_H_
