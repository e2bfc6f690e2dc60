#ifndef PLUMB_ALIGNMENT_OBJECTIVES_IPO_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_IPO_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Identity preference optimisation (Azar et al. 2023, arXiv 2310.12036, equation 17; tau is our beta):
//
//   loss = (d - 1 / (2 beta))^2
//
// with d as in dpo.h from the sums of log-ratios (SUM, as the paper writes and OpenRLHF does) or from their
// averages per token (AVERAGE, as TRL, LLaMA-Factory and, by TRL's account, the paper's experiments do).
LossOutput IpoLoss(const Ipo& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_IPO_H_
