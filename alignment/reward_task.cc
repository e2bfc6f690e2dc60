#include "alignment/reward_task.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <numeric>

#include "common/nn/pretrained.h"
#include "common/status/status_macros.h"
#include "common/train/gradients.h"

namespace plumb {

at::Tensor LastTokenRewards(const RewardModel& model, const PairBatch& batch, const ForwardOptions& options) {
  const at::Tensor last = at::cat({batch.chosen_last, batch.rejected_last});
  const at::Tensor rewards = model.Rewards(model.body->Hidden(batch.tokens, options).index_select(0, last));
  return rewards.scalar_type() == at::kDouble ? rewards : rewards.to(at::kFloat);
}

at::Tensor RewardTask::Loss(const Pairs& pairs, double step_examples, const ForwardOptions& options,
                            MetricSums* metrics) {
  const PairBatch batch = PackPairs(pairs, /*with_rejected=*/true);
  const at::Tensor rewards = LastTokenRewards(model_, batch, options);
  const auto count = static_cast<int64_t>(pairs.size());
  PreferenceLogps inputs;
  inputs.rewards_chosen = rewards.narrow(0, 0, count);
  inputs.rewards_rejected = rewards.narrow(0, count, count);
  inputs.margin = Margins(pairs);
  if (objectives_.traits().needs_scores) {
    inputs.score_chosen = ChosenScores(pairs);
    inputs.score_rejected = RejectedScores(pairs);
  }
  const at::Tensor values = rewards.detach();
  metrics->Add("min_reward", values.min().item<double>(), 1);
  metrics->Add("max_reward", values.max().item<double>(), 1);
  AddMean("mean_reward", values, metrics);
  LossTotals totals;
  totals.examples = step_examples;
  return objectives_.Compute(inputs, totals, metrics);
}

absl::Status RewardTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                             MetricSums* metrics) {
  ForwardOptions options;
  options.gradient_checkpointing = gradient_checkpointing_;
  Backward(
      Loss(Select(data_.train, micro_batch), static_cast<double>(step.examples.size()), options, metrics));
  return absl::OkStatus();
}

absl::StatusOr<MetricSums> RewardTask::Evaluate(int64_t batch_size) {
  const at::NoGradGuard no_grad;
  MetricSums metrics;
  std::vector<int64_t> examples(data_.eval.size());
  std::iota(examples.begin(), examples.end(), 0);
  for (size_t begin = 0; begin < examples.size(); begin += batch_size) {
    const auto some = absl::MakeConstSpan(examples).subspan(begin, batch_size);
    Loss(Select(data_.eval, some), static_cast<double>(examples.size()), {}, &metrics);
  }
  return metrics;
}

std::vector<NamedParameter> RewardTask::TrainableParameters() {
  std::vector<NamedParameter> parameters;
  model_.VisitParameters([&](const std::string& name, at::Tensor& tensor) {
    tensor.set_requires_grad(true);
    parameters.push_back({name, tensor});
  });
  return parameters;
}

absl::Status RewardTask::SaveModel(const std::string& folder) {
  PLUMB_RETURN_IF_ERROR(SaveRewardModel(model_, folder));
  return tokenizer_.Save(folder);
}

}  // namespace plumb
