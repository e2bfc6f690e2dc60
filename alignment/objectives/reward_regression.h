#ifndef PLUMB_ALIGNMENT_OBJECTIVES_REWARD_REGRESSION_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_REWARD_REGRESSION_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// A reward model learnt from ratings: with s the data's scores of an answer, added up by score_weight,
//
//   loss = [(R(x, y_w) - s_w)^2 + (R(x, y_l) - s_l)^2] / 2
//
// the mean squared error of directional preference alignment's multi-objective reward model (Wang et al.
// 2024, arXiv 2402.18571) for one of its objectives; the paper's model has a head for each.
LossOutput RewardRegressionLoss(const RewardRegression& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_REWARD_REGRESSION_H_
