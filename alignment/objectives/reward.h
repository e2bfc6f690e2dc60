#ifndef PLUMB_ALIGNMENT_OBJECTIVES_REWARD_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_REWARD_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Bradley-Terry reward modelling: with R the score that the model gives an answer,
//
//   loss = -log sigmoid(R_chosen - R_rejected - margin) + c (R_chosen + R_rejected)^2
//
// The margin of the data is Llama 2's (Touvron et al. 2023, arXiv 2307.09288, equation 2), 0 where there is
// none; c = center_rewards_coefficient keeps scores around 0 (Eisenstein et al. 2023, arXiv 2312.09244).
LossOutput RewardLoss(const RewardModelling& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_REWARD_H_
