#ifndef PLUMB_ALIGNMENT_OBJECTIVES_MODPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_MODPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Multi-objective DPO (Zhou et al. 2023, arXiv 2310.03708): pairs show one objective, of weight w, and the
// rewards R_k of the others, of weights w_k, shift what the policy has to learn from them. With the implicit
// reward, that of the collective reward model less the other objectives',
//
//   r(y) = (1 / w) (beta (log pi(y|x) - log pi_ref(y|x)) - sum over k of w_k R_k(y))
//   loss = -log sigmoid(r(y_w) - r(y_l))
//
// R_k are the scores of the data. Without other_weight, each w_k is (1 - w) / K. With w = 1 this is DPO. The
// formula is that of the authors' code; the number of the paper's equation was not verified.
LossOutput ModpoLoss(const Modpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_MODPO_H_
