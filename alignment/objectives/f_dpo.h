#ifndef PLUMB_ALIGNMENT_OBJECTIVES_F_DPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_F_DPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// f-DPO: DPO under another divergence than the reverse KL (Wang et al. 2023, arXiv 2309.16240, equation 10).
// With u = pi / pi_ref,
//
//   loss = -log sigmoid(beta (f'(u_w) - f'(u_l)))
//
//   REVERSE_KL      f'(u) = log u                     plain DPO
//   FORWARD_KL      f'(u) = -1 / u
//   JENSEN_SHANNON  f'(u) = log(2 u / (1 + u))
//   ALPHA           f'(u) = (u^(a - 1) - 1) / (a - 1)   with a = alpha_trl
//
// The field is named alpha_trl since the paper writes (1 - u^-a) / a: its alpha is 1 - alpha_trl. Exponents
// are cut off at 80, as in TRL, so that f' stays a number in f32.
LossOutput FDpoLoss(const FDpo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_F_DPO_H_
