#include "alignment/pair_logps.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <vector>

#include "common/status/status_macros.h"

namespace plumb {
namespace {

at::Tensor Lengths(const std::vector<Segment>& segments, at::ScalarType dtype) {
  std::vector<double> lengths;
  for (const Segment& segment : segments) lengths.push_back(std::max<int64_t>(1, segment.length()));
  return at::tensor(lengths, dtype);
}

at::Tensor ChosenTokens(const at::Tensor& tokens, const PairBatch& batch) {
  return tokens.narrow(0, 0, batch.chosen_tokens());
}

at::Tensor RejectedTokens(const at::Tensor& tokens, const PairBatch& batch) {
  return tokens.narrow(0, batch.chosen_tokens(), batch.rejected_tokens());
}

}  // namespace

at::Tensor PredictingStates(CausalLm& model, const PairBatch& batch, const ForwardOptions& options) {
  return model.Hidden(batch.tokens, options).index_select(0, batch.rows);
}

at::Tensor TokenLogps(CausalLm& model, const PairBatch& batch, const ForwardOptions& options) {
  return LinearLogProb(PredictingStates(model, batch, options), model.HeadWeight(), batch.targets).logps;
}

PreferenceLogps PolicyLogps(const at::Tensor& token_logps, const PairBatch& batch) {
  PreferenceLogps logps;
  logps.policy_chosen_logps = SumSegments(token_logps, batch.chosen);
  logps.policy_chosen_token_logps = ChosenTokens(token_logps, batch);
  logps.chosen_length = Lengths(batch.chosen, logps.policy_chosen_logps.scalar_type());
  if (!batch.gold.empty()) {
    logps.policy_gold_logps = SumSegments(token_logps, batch.gold);
    logps.gold_length = Lengths(batch.gold, logps.policy_chosen_logps.scalar_type());
  }
  if (batch.rejected.empty()) return logps;
  logps.policy_rejected_logps = SumSegments(token_logps, batch.rejected);
  logps.policy_rejected_token_logps = RejectedTokens(token_logps, batch);
  logps.rejected_length = Lengths(batch.rejected, logps.policy_chosen_logps.scalar_type());
  return logps;
}

void SetReferenceLogps(const at::Tensor& token_logps, const PairBatch& batch, PreferenceLogps* logps) {
  logps->reference_chosen_logps = SumSegments(token_logps, batch.chosen);
  logps->reference_chosen_token_logps = ChosenTokens(token_logps, batch);
  if (batch.rejected.empty()) return;
  logps->reference_rejected_logps = SumSegments(token_logps, batch.rejected);
  logps->reference_rejected_token_logps = RejectedTokens(token_logps, batch);
}

absl::StatusOr<ReferenceLogps> ComputeReferenceLogps(
    CausalLm& model, absl::Span<const TokenizedPreference> pairs, bool with_rejected, int64_t batch_size,
    const std::function<absl::Status(int64_t done)>& on_progress) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> chosen = {at::empty({0}, at::kFloat)};
  std::vector<at::Tensor> rejected = {at::empty({0}, at::kFloat)};
  for (size_t begin = 0; begin < pairs.size(); begin += batch_size) {
    if (on_progress) PLUMB_RETURN_IF_ERROR(on_progress(begin));
    Pairs some;
    for (const TokenizedPreference& pair : pairs.subspan(begin, batch_size)) some.push_back(&pair);
    const PairBatch batch = PackPairs(some, with_rejected);
    const at::Tensor logps = TokenLogps(model, batch, {}).to(at::kFloat);
    chosen.push_back(ChosenTokens(logps, batch));
    rejected.push_back(RejectedTokens(logps, batch));
  }
  return ReferenceLogps{at::cat(chosen), at::cat(rejected)};
}

}  // namespace plumb
