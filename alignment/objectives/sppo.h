#ifndef PLUMB_ALIGNMENT_OBJECTIVES_SPPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_SPPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Self-play preference optimisation (Wu et al. 2024, arXiv 2405.00675, equation 4.7; 1 / eta is our beta).
// With lr the log-ratio of policy to reference and P the probability that an answer beats the policy's own
// answers,
//
//   loss = (lr_w - (P_w - 1/2) / beta)^2 + (lr_l - (P_l - 1/2) / beta)^2
//
// P_w = 1 and P_l = 0 unless the recipe says otherwise: TRL's `sppo_hard`. FROM_SCORES takes each answer's
// score, in the data or of on_policy_pairs { score: WIN_RATE }: the paper's estimate, the mean over the
// policy's answers of the probability that it is preferred to them. The authors' code halves the sum; a
// weight of 0.5 does so here.
LossOutput SppoLoss(const Sppo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_SPPO_H_
