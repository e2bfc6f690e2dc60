#ifndef PLUMB_ALIGNMENT_OBJECTIVES_BCO_PAIR_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_BCO_PAIR_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Binary classifier optimisation on pairs, without the reward shift (Jung et al. 2024, arXiv 2404.04656;
// TRL's `bco_pair`): with the implicit rewards r = beta (log pi - log pi_ref),
//
//   loss = -log sigmoid(r_w) - log sigmoid(-r_l)
LossOutput BcoPairLoss(const BcoPair& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_BCO_PAIR_H_
