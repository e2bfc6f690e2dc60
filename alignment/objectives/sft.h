#ifndef PLUMB_ALIGNMENT_OBJECTIVES_SFT_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_SFT_H_

#include "alignment/objectives/objective.h"

namespace plumb {

// Maximum likelihood of the text, or of the chosen answer: an example's loss is its negative log-probability
// per token, and a batch's is the mean over all tokens, as in TRL (SFTTrainer's `nll`, DPOTrainer's `sft`).
LossOutput SftLoss(const Sft& config, const PreferenceLogps& logps);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_SFT_H_
