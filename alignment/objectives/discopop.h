#ifndef PLUMB_ALIGNMENT_OBJECTIVES_DISCOPOP_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_DISCOPOP_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// DiscoPOP, a loss found by a language model (Lu et al. 2024, arXiv 2406.08414, equation 5; TRL's
// `discopop`): with z = beta d, d as in dpo.h, and m = sigmoid(z / tau),
//
//   loss = -(1 - m) log sigmoid(z) + m exp(-z)
LossOutput DiscopopLoss(const Discopop& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_DISCOPOP_H_
