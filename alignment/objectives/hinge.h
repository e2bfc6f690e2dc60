#ifndef PLUMB_ALIGNMENT_OBJECTIVES_HINGE_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_HINGE_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Hinge loss on DPO's margin (SLiC, Zhao et al. 2023, arXiv 2305.10425; RSO, Liu et al. 2023, arXiv
// 2309.06657, where gamma is our beta; TRL's `hinge`):
//
//   loss = max(0, 1 - beta d)
//
// with d as in dpo.h.
LossOutput HingeLoss(const Hinge& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_HINGE_H_
