#ifndef PLUMB_ALIGNMENT_OBJECTIVES_CONTRASTIVE_POLICY_GRADIENT_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_CONTRASTIVE_POLICY_GRADIENT_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Contrastive policy gradient, CoPG (Flet-Berliac et al. 2024, arXiv 2406.19185): policy gradient on two
// answers to a prompt, whoever wrote them, each the other's baseline. With the log-ratio lr of policy to
// reference and the regularised reward R_beta(y) = R(y) - beta lr(y), the gradient descends
//
//   -(R_beta(y) - R_beta(y')) (grad log pi(y) - grad log pi(y'))
//
// which is that of
//
//   loss = (R_beta(y) - R_beta(y'))^2 / (2 beta)
//
// The paper writes the loss without the term (R(y) - R(y'))^2 / (2 beta), in which there is no policy, and
// with the other sign, as what is ascended; that is from memory of the paper and its equation was not
// verified. Either answer may be the better one. Rewards of 1/4 and -1/4 give beta / 2 times IPO on sums.
LossOutput ContrastivePolicyGradientLoss(const ContrastivePolicyGradient& config,
                                         const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_CONTRASTIVE_POLICY_GRADIENT_H_
