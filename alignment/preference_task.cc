#include "alignment/preference_task.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "alignment/eval/likelihood_over_optimisation.h"
#include "alignment/pair_logps.h"
#include "common/train/gradients.h"

namespace plumb {
namespace {

// By the names of TRL's trainers; the top k: alignment/eval/likelihood_over_optimisation.h.
void AddTokenMetrics(const LinearLogProbs& tokens, const PairBatch& batch, MetricSums* metrics) {
  const int64_t chosen = batch.chosen_tokens();
  AddMean("entropy", tokens.entropy, metrics);
  AddMean("mean_token_accuracy", tokens.top1.narrow(0, 0, chosen), metrics);
  if (batch.rejected.empty()) return;
  if (tokens.top_k_mass.defined()) {
    AddMean("top_k_mass/chosen", tokens.top_k_mass.narrow(0, 0, chosen), metrics);
    AddMean("top_k_entropy/chosen", tokens.top_k_entropy.narrow(0, 0, chosen), metrics);
  }
  AddMean("logits/chosen", tokens.mean_logit.narrow(0, 0, chosen), metrics);
  AddMean("logits/rejected", tokens.mean_logit.narrow(0, chosen, batch.rejected_tokens()), metrics);
}

// The sums that pairs carry, in f32 as all stored log-probabilities.
void SetReferenceFromData(const Pairs& pairs, PreferenceLogps* logps) {
  std::vector<float> chosen, rejected;
  for (const TokenizedPreference* pair : pairs) {
    chosen.push_back(static_cast<float>(*pair->ref_chosen_logps));
    rejected.push_back(static_cast<float>(*pair->ref_rejected_logps));
  }
  logps->reference_chosen_logps = at::tensor(chosen, at::kFloat);
  logps->reference_rejected_logps = at::tensor(rejected, at::kFloat);
}

LossTotals TotalsOf(const std::vector<TokenizedPreference>& pairs, absl::Span<const int64_t> examples) {
  LossTotals totals;
  totals.examples = static_cast<double>(examples.size());
  for (const int64_t i : examples) totals.chosen_tokens += PredictedTokens(pairs[i], pairs[i].chosen_ids);
  totals.chosen_tokens = std::max(1.0, totals.chosen_tokens);
  return totals;
}

RandomStream Dropout(const TrainStep& step, absl::Span<const int64_t> micro_batch) {
  return step.random.Child("dropout").Child(micro_batch.front());
}

std::optional<StoredReference> Stored(const std::vector<TokenizedPreference>& pairs,
                                      const std::optional<ReferenceLogps>& logps) {
  if (!logps.has_value()) return std::nullopt;
  return StoredReference(pairs, *logps);
}

}  // namespace

PreferenceTask::PreferenceTask(TextModel* policy, const PreferenceData* data,
                               const WeightedObjectives* objectives, PreferenceReference reference,
                               bool gradient_checkpointing)
    : policy_(*policy),
      data_(*data),
      objectives_(*objectives),
      reference_(std::move(reference)),
      gradient_checkpointing_(gradient_checkpointing),
      with_rejected_(objectives->traits().needs_rejected),
      train_{data->train, Stored(data->train, reference_.train)},
      eval_{data->eval, Stored(data->eval, reference_.eval)} {}

int64_t PreferenceTask::ExampleTokens(int64_t index) const {
  return TokenCount(data_.train[index], with_rejected_);
}

PreferenceLogps PreferenceTask::Logps(const Part& part, absl::Span<const int64_t> examples,
                                      const ForwardOptions& options, bool is_evaluation,
                                      MetricSums* metrics) {
  const ObjectiveTraits& traits = objectives_.traits();
  const Pairs pairs = Select(part.pairs, examples);
  const PairBatch batch = PackPairs(pairs, with_rejected_, /*share_prompts=*/true, traits.needs_gold);
  LinearLogProbOptions kernel;
  kernel.statistics = true;
  if (is_evaluation) kernel.top_k = kLikeliestTokens;
  at::Tensor reference_tokens;
  if (reference_.model != nullptr) {
    const at::NoGradGuard no_grad;
    const at::Tensor states = PredictingStates(*reference_.model, batch, {});
    const at::Tensor& head = reference_.model->HeadWeight();
    reference_tokens = LinearLogProb(states, head, batch.targets).logps;
    if (traits.needs_vocab_divergence) {
      kernel.reference_hidden = states;
      kernel.reference_weight = head;
    }
  } else if (part.reference.has_value()) {
    reference_tokens = part.reference->Chosen(examples);
    if (with_rejected_) reference_tokens = at::cat({reference_tokens, part.reference->Rejected(examples)});
  }
  const LinearLogProbs tokens = LinearLogProb(PredictingStates(*policy_.model, batch, options),
                                              policy_.model->HeadWeight(), batch.targets, kernel);
  PreferenceLogps logps = PolicyLogps(tokens.logps, batch);
  if (reference_tokens.defined()) SetReferenceLogps(reference_tokens, batch, &logps);
  if (reference_.in_data) SetReferenceFromData(pairs, &logps);
  if (tokens.token_kl.defined()) {
    const int64_t chosen = batch.chosen_tokens();
    logps.chosen_token_kl = tokens.token_kl.narrow(0, 0, chosen);
    logps.rejected_token_kl = tokens.token_kl.narrow(0, chosen, batch.rejected_tokens());
  }
  logps.margin = Margins(pairs);
  if (traits.needs_scores) {
    logps.score_chosen = ChosenScores(pairs);
    logps.score_rejected = RejectedScores(pairs);
  }
  if (traits.needs_token_mask) {
    logps.chosen_token_mask = ChosenMask(pairs);
    logps.rejected_token_mask = RejectedMask(pairs);
  }
  AddTokenMetrics(tokens, batch, metrics);
  if (with_rejected_) {
    AddMean("logps/chosen", logps.policy_chosen_logps.detach(), metrics);
    AddMean("logps/rejected", logps.policy_rejected_logps.detach(), metrics);
  }
  return logps;
}

ForwardOptions PreferenceTask::TrainOptions(const RandomStream& dropout) const {
  ForwardOptions options;
  options.gradient_checkpointing = gradient_checkpointing_;
  options.dropout = &dropout;
  return options;
}

PreferenceLogps PreferenceTask::MicroBatchPolicyLogps(const TrainStep& step,
                                                      absl::Span<const int64_t> micro_batch) {
  const RandomStream dropout = Dropout(step, micro_batch);
  const PairBatch batch = PackPairs(Select(train_.pairs, micro_batch), with_rejected_, /*share_prompts=*/true,
                                    objectives_.traits().needs_gold);
  return PolicyLogps(TokenLogps(*policy_.model, batch, TrainOptions(dropout)), batch);
}

at::Tensor PreferenceTask::MicroBatchLoss(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                          MetricSums* metrics, PreferenceLogps* logps) {
  const RandomStream dropout = Dropout(step, micro_batch);
  *logps = Logps(train_, micro_batch, TrainOptions(dropout), /*is_evaluation=*/false, metrics);
  return objectives_.Compute(*logps, TotalsOf(data_.train, step.examples), metrics);
}

absl::Status PreferenceTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                                 MetricSums* metrics) {
  PreferenceLogps logps;
  Backward(MicroBatchLoss(step, micro_batch, metrics, &logps));
  return absl::OkStatus();
}

absl::StatusOr<MetricSums> PreferenceTask::Evaluate(int64_t batch_size) {
  const at::NoGradGuard no_grad;
  MetricSums metrics;
  std::vector<int64_t> examples(data_.eval.size());
  std::iota(examples.begin(), examples.end(), 0);
  const LossTotals totals = TotalsOf(data_.eval, examples);
  for (size_t begin = 0; begin < examples.size(); begin += batch_size) {
    const auto some = absl::MakeConstSpan(examples).subspan(begin, batch_size);
    objectives_.Compute(Logps(eval_, some, {}, /*is_evaluation=*/true, &metrics), totals, &metrics);
  }
  return metrics;
}

}  // namespace plumb
