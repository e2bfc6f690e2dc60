#ifndef PLUMB_ALIGNMENT_OBJECTIVES_APO_ZERO_UNPAIRED_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_APO_ZERO_UNPAIRED_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Anchored preference optimisation towards zero on answers with labels (D'Oosterlinck et al. 2024, arXiv
// 2408.06266; TRL's `apo_zero_unpaired`): KTO without a baseline. With the log-ratio
// lr of policy to reference, s = sigmoid, and the weights D and U of good and bad answers,
//
//   good: loss = D (1 - s(beta lr))        bad: loss = U s(beta lr)
//
// For data whose good answers are better than the model's.
LossOutput ApoZeroUnpairedLoss(const ApoZeroUnpaired& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_APO_ZERO_UNPAIRED_H_
