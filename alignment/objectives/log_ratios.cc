#include "alignment/objectives/log_ratios.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace plumb {

LogRatios LogRatiosOf(const PreferenceLogps& logps) {
  return {logps.policy_chosen_logps - logps.reference_chosen_logps,
          logps.policy_rejected_logps - logps.reference_rejected_logps};
}

AverageLogps AverageLogpsOf(const PreferenceLogps& logps) {
  return {logps.policy_chosen_logps / logps.chosen_length,
          logps.policy_rejected_logps / logps.rejected_length};
}

at::Tensor LogOdds(const at::Tensor& logp) {
  // log(1 - p): log(-expm1) where p is large, log1p(-exp) where it is small. Each branch sees only values
  // that it can take, since the gradient of the branch not taken would otherwise come out as 0 times
  // infinity.
  const at::Tensor large = logp > -M_LN2;
  const at::Tensor half = at::full_like(logp, -M_LN2);
  const at::Tensor of_large = at::log(-at::expm1(at::where(large, logp, half)));
  const at::Tensor of_small = at::log1p(-at::where(large, half, logp).exp());
  return logp - at::where(large, of_large, of_small);
}

at::Tensor SumOverAnswers(const at::Tensor& values, const at::Tensor& lengths) {
  const at::Tensor answer = at::repeat_interleave(at::round(lengths).to(at::kLong));
  return at::zeros({lengths.size(0)}, values.options()).index_add(0, answer, values);
}

at::Tensor WeightedScores(const at::Tensor& scores, absl::Span<const double> weights) {
  return (scores * at::tensor(at::ArrayRef<double>(weights.data(), weights.size()), scores.options()))
      .sum(/*dim=*/1);
}

void SetImplicitRewards(double beta, const LogRatios& ratios, LossOutput* output) {
  output->rewards_chosen = beta * ratios.chosen.detach();
  output->rewards_rejected = beta * ratios.rejected.detach();
}

}  // namespace plumb
