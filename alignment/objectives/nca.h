#ifndef PLUMB_ALIGNMENT_OBJECTIVES_NCA_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_NCA_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Noise contrastive alignment on pairs (Chen et al. 2024, arXiv 2402.05369; TRL's `nca_pair`): with the
// implicit rewards r = beta (log pi - log pi_ref),
//
//   loss = -log sigmoid(r_w) - 1/2 log sigmoid(-r_w) - 1/2 log sigmoid(-r_l)
LossOutput NcaLoss(const Nca& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_NCA_H_
