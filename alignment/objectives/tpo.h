#ifndef PLUMB_ALIGNMENT_OBJECTIVES_TPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_TPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Triple preference optimisation (Saeidi et al. 2024, arXiv 2405.16681; TRL's TPOTrainer): DPO without a
// reference model beside the likelihood of a gold answer y_g, in one stage in the place of two. With the mean
// log-probability per token a = log pi(y|x) / |y|,
//
//   TPO:   loss = -log sigmoid(beta (log pi(y_w|x) - log pi(y_l|x))) - tpo_alpha a_g
//   TPO_L: loss = -log sigmoid(beta (a_w - a_l) - tpo_l_gamma) - tpo_alpha a_g
//
// An example's likelihood term is a mean over its own tokens; TRL's is one over all tokens of the
// micro-batch. The formulas are TRL's; the paper's equations were not verified.
LossOutput TpoLoss(const Tpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_TPO_H_
