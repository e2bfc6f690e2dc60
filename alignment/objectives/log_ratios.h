#ifndef PLUMB_ALIGNMENT_OBJECTIVES_LOG_RATIOS_H_
#define PLUMB_ALIGNMENT_OBJECTIVES_LOG_RATIOS_H_

#include "absl/types/span.h"
#include "alignment/objectives/objective.h"

namespace plumb {

// What most methods are functions of.

// log pi(y|x) - log pi_ref(y|x) of both answers, [B], in nats.
struct LogRatios {
  at::Tensor chosen;
  at::Tensor rejected;
};
LogRatios LogRatiosOf(const PreferenceLogps& logps);

// log pi(y|x) / |y|: mean log-probability of an answer's tokens, [B].
struct AverageLogps {
  at::Tensor chosen;
  at::Tensor rejected;
};
AverageLogps AverageLogpsOf(const PreferenceLogps& logps);

// log(p / (1 - p)) for p = exp(logp) < 1, exact also where p is near 0 or near 1.
at::Tensor LogOdds(const at::Tensor& logp);

// Sums of token values over each answer: `values` [sum of lengths] -> [B].
at::Tensor SumOverAnswers(const at::Tensor& values, const at::Tensor& lengths);

// The scores [B, K] of each answer added up by K weights: [B].
at::Tensor WeightedScores(const at::Tensor& scores, absl::Span<const double> weights);

// Sets the rewards that are logged to `beta` times the log-ratios, as TRL does whatever the loss.
void SetImplicitRewards(double beta, const LogRatios& ratios, LossOutput* output);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_OBJECTIVES_LOG_RATIOS_H_
