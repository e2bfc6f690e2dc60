#ifndef PLUMB_ALIGNMENT_OBJECTIVES_AOT_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_AOT_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Alignment via optimal transport (Melnyk et al. 2024, arXiv 2406.05882; TRL's `aot` and `aot_unpaired`): the
// rewards of the batch as a distribution are to dominate, quantile by quantile. With the values of the batch
// sorted, and e = label_smoothing,
//
//   PAIRED:   delta_(i) = (log pi_w - log pi_l)_(i) - (log ref_w - log ref_l)_(i)
//   UNPAIRED: delta_(i) = (log pi_w - log ref_w)_(i) - (log pi_l - log ref_l)_(i)
//   loss_(i) = -(1 - e) log sigmoid(beta delta_(i)) - e log sigmoid(-beta delta_(i))
//
// The loss couples the examples of a micro-batch, as TRL's, so accumulation is another loss. Element i
// of the loss belongs to the i-th quantile, not to example i.
LossOutput AotLoss(const Aot& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_AOT_H_
