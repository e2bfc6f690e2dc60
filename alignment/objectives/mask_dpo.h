#ifndef PLUMB_ALIGNMENT_OBJECTIVES_MASK_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_MASK_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Mask-DPO (Gu et al. 2025, arXiv 2503.02846): DPO where an answer's log-ratio is the sum over those of its
// tokens that count. With the mask m of the data, 1 or 0 for each token,
//
//   D(y) = sum over t of m_t (log pi(y_t|x, y_<t) - log pi_ref(y_t|x, y_<t))
//   loss = -log sigmoid(beta (D(y_w) - D(y_l)))
//
// The paper counts the sentences without a hallucination of the chosen answer, and those with one of the
// rejected answer. The rewards that are logged are beta D. As in the authors' code, but for tokens of id 0:
// there they never count. The number of the paper's equation was not verified.
LossOutput MaskDpoLoss(const MaskDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_MASK_DPO_H_
