#ifndef PLUMB_ALIGNMENT_OBJECTIVES_BCO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_BCO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Binary classifier optimisation (Jung et al. 2024, arXiv 2404.04656; what TRL's BCOTrainer computed): the
// logit of a classifier of answers into good and bad ones is the reward. With the log-ratio lr of policy to
// reference and its running mean m over the training as baseline,
//
//   good: loss = -log sigmoid(beta (lr - m))        bad: loss = -log sigmoid(-beta (lr - m))
//
// so that the paper's reward shift delta is beta m. Where prompts of good and bad answers differ in kind, the
// paper's underlying distribution matching weighs bad answers by a classifier of prompts:
// //alignment:select's match_distribution writes such weights to the data
// (alignment/selection/density_ratio.h).
LossOutput BcoLoss(const Bco& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_BCO_H_
