#include "alignment/on_policy_kl_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "alignment/pair_batch.h"
#include "alignment/pair_logps.h"
#include "alignment/rollouts.h"
#include "common/status/status_macros.h"
#include "common/train/gradients.h"

namespace plumb {
namespace {

// Log-probabilities [N] of the answers of a batch, in f64.
at::Tensor AnswerLogps(CausalLm& model, const PairBatch& batch, const ForwardOptions& options) {
  return SumSegments(TokenLogps(model, batch, options), batch.chosen).to(at::kDouble);
}

}  // namespace

at::Tensor OnPolicyKlSurrogate(const at::Tensor& logps, const at::Tensor& reference_logps,
                               int64_t num_generations) {
  const at::Tensor ratios = (logps.detach() - reference_logps).view({-1, num_generations});
  at::Tensor advantages = ratios;
  if (num_generations > 1) {
    const at::Tensor others = (ratios.sum(1, /*keepdim=*/true) - ratios) / (num_generations - 1);
    advantages = ratios - others;
  }
  return (advantages.reshape({-1}) * logps).sum() / num_generations;
}

absl::Status OnPolicyKlTask::Sample(const TrainStep& step) {
  std::vector<RolloutPrompt> prompts;
  const RandomStream random = step.random.Child("rollout");
  for (const int64_t example : step.examples) {
    prompts.push_back({&data_.train[example].prompt_ids, random.Child(example)});
  }
  PLUMB_ASSIGN_OR_RETURN(const auto generated,
                         SampleAnswers(policy_, prompts, config_.num_generations(),
                                       PlainSampling(config_.max_new_tokens(), config_.max_batch_size())));
  answers_.clear();
  for (size_t i = 0; i < generated.size(); ++i) {
    std::vector<std::vector<int64_t>>& answers = answers_[step.examples[i]];
    answers.clear();
    for (const GeneratedSequence& answer : generated[i]) answers.push_back(answer.token_ids);
  }
  sampled_step_ = step.index;
  return absl::OkStatus();
}

absl::Status OnPolicyKlTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                                 MetricSums* metrics) {
  // The offline part's gradients do not change what the policy says within a step.
  if (sampled_step_ != step.index) PLUMB_RETURN_IF_ERROR(Sample(step));
  PLUMB_RETURN_IF_ERROR(DelegatingTask::AccumulateGradients(step, micro_batch, metrics));
  std::vector<TokenizedPreference> rows;
  for (const int64_t example : micro_batch) {
    for (const std::vector<int64_t>& answer : answers_.at(example)) {
      TokenizedPreference row;
      row.prompt_ids = data_.train[example].prompt_ids;
      row.chosen_ids = answer;
      rows.push_back(std::move(row));
    }
  }
  Pairs pairs;
  for (const TokenizedPreference& row : rows) pairs.push_back(&row);
  const PairBatch batch = PackPairs(pairs, /*with_rejected=*/false);
  at::Tensor reference;
  {
    const at::NoGradGuard no_grad;
    reference = AnswerLogps(*reference_, batch, {});
  }
  ForwardOptions options;
  options.gradient_checkpointing = gradient_checkpointing_;
  const at::Tensor logps = AnswerLogps(*policy_.model, batch, options);
  const auto examples = static_cast<double>(step.examples.size());
  Backward(OnPolicyKlSurrogate(logps, reference, config_.num_generations()) * (config_.weight() / examples));

  const auto count = static_cast<double>(rows.size());
  const double kl = (logps.detach() - reference).sum().item<double>();
  metrics->Add("kl", kl, count);
  metrics->Add("completions/mean_length", static_cast<double>(batch.predicted_tokens()), count);
  // The offline task has counted these examples.
  metrics->Add("loss", config_.weight() * kl / config_.num_generations() / examples, 0);
  return absl::OkStatus();
}

}  // namespace plumb
