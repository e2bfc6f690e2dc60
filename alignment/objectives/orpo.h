#ifndef PLUMB_ALIGNMENT_OBJECTIVES_ORPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_ORPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Odds ratio preference optimisation (Hong et al. 2024, arXiv 2403.07691, equations 6 and 7). With p =
// exp(log pi(y|x) / |y|) and o = log(p / (1 - p)), and no reference,
//
//   loss = -log pi(y_w|x) / |y_w| - beta log sigmoid(o_w - o_l)
//
// where beta is the paper's lambda. The first term is the likelihood of the chosen answer alone.
LossOutput OrpoLoss(const Orpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_ORPO_H_
