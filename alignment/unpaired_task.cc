#include "alignment/unpaired_task.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "alignment/pair_logps.h"
#include "common/train/gradients.h"

namespace plumb {
namespace {

LossTotals TotalsOf(const std::vector<TokenizedPreference>& all, absl::Span<const int64_t> examples) {
  LossTotals totals;
  totals.examples = static_cast<double>(examples.size());
  for (const int64_t i : examples) totals.good_examples += *all[i].label ? 1 : 0;
  return totals;
}

// Prompts with the answers of others.
std::vector<TokenizedPreference> Mismatched(const std::vector<TokenizedPreference>& all,
                                            absl::Span<const int64_t> examples) {
  std::vector<TokenizedPreference> mismatched(examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    mismatched[i].prompt_ids = all[examples[i]].prompt_ids;
    mismatched[i].chosen_ids = all[examples[i]].rejected_ids;
  }
  return mismatched;
}

}  // namespace

UnpairedTask::UnpairedTask(TextModel* policy, const PreferenceData* data,
                           const WeightedObjectives* objectives, PreferenceReference reference,
                           bool gradient_checkpointing)
    : policy_(*policy),
      data_(*data),
      objectives_(*objectives),
      reference_model_(std::move(reference.model)),
      gradient_checkpointing_(gradient_checkpointing),
      train_(MakePart(data->train, std::move(reference.train))),
      eval_(MakePart(data->eval, std::move(reference.eval))),
      running_mean_(at::zeros({2}, at::kDouble)) {}

UnpairedTask::Part UnpairedTask::MakePart(const std::vector<TokenizedPreference>& examples,
                                          std::optional<ReferenceLogps> logps) {
  Part part{examples, std::nullopt};
  if (logps.has_value()) part.reference.emplace(examples, *std::move(logps));
  return part;
}

at::Tensor UnpairedTask::ReferenceTokens(const Part& part, absl::Span<const int64_t> examples,
                                         Answers answers, const PairBatch& batch) {
  if (reference_model_ == nullptr) {
    return answers == Answers::kOwn ? part.reference->Chosen(examples) : part.reference->Rejected(examples);
  }
  const at::NoGradGuard no_grad;
  return TokenLogps(*reference_model_, batch, {});
}

PreferenceLogps UnpairedTask::Logps(const Part& part, absl::Span<const int64_t> examples,
                                    const ForwardOptions& options, MetricSums* metrics) {
  const Pairs rows = Select(part.examples, examples);
  const PairBatch batch = PackPairs(rows, /*with_rejected=*/false);
  LinearLogProbOptions kernel;
  kernel.statistics = true;
  const at::Tensor reference = ReferenceTokens(part, examples, Answers::kOwn, batch);
  const LinearLogProbs tokens = LinearLogProb(PredictingStates(*policy_.model, batch, options),
                                              policy_.model->HeadWeight(), batch.targets, kernel);
  PreferenceLogps logps = PolicyLogps(tokens.logps, batch);
  SetReferenceLogps(reference, batch, &logps);
  logps.label = Labels(rows);
  logps.weight = Weights(rows);
  AddMean("entropy", tokens.entropy, metrics);
  std::vector<int64_t> lengths;
  for (const Segment& answer : batch.chosen) lengths.push_back(answer.length());
  AddMeansByLabel("logits", tokens.mean_logit,
                  at::repeat_interleave(logps.label, at::tensor(lengths, at::kLong)), metrics);
  AddMeansByLabel("logps", logps.policy_chosen_logps.detach(), logps.label, metrics);
  return logps;
}

double UnpairedTask::MeanLogRatio(const Part& part, absl::Span<const int64_t> examples, Answers answers,
                                  int64_t batch_size) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (size_t begin = 0; begin < examples.size(); begin += batch_size) {
    const auto some = examples.subspan(begin, batch_size);
    std::vector<TokenizedPreference> mismatched;
    Pairs rows;
    if (answers == Answers::kOwn) {
      rows = Select(part.examples, some);
    } else {
      mismatched = Mismatched(part.examples, some);
      for (const TokenizedPreference& row : mismatched) rows.push_back(&row);
    }
    const PairBatch batch = PackPairs(rows, /*with_rejected=*/false);
    const at::Tensor policy = TokenLogps(*policy_.model, batch, {});
    sum += (policy - ReferenceTokens(part, some, answers, batch)).sum(at::kDouble).item<double>();
  }
  return sum / std::max<double>(1, examples.size());
}

double UnpairedTask::KlEstimate(const Part& part, absl::Span<const int64_t> examples, int64_t batch_size) {
  return std::max(0.0, MeanLogRatio(part, examples, Answers::kMismatched, batch_size));
}

std::vector<NamedParameter> UnpairedTask::State() {
  if (objectives_.traits().baseline != Baseline::kRunningMean) return {};
  return {NamedParameter{"running_mean", running_mean_}};
}

void UnpairedTask::AddToRunningMean(double mean, double count) {
  const auto so_far = running_mean_[0].item<double>();
  const double all = running_mean_[1].item<double>() + count;
  running_mean_[0].fill_(so_far + (mean - so_far) * count / all);
  running_mean_[1].fill_(all);
}

void UnpairedTask::StartStep(const TrainStep& step, const PreferenceLogps& logps) {
  const int64_t batch_size = logps.label.numel();
  const auto count = static_cast<int64_t>(step.examples.size());
  examples_to_come_ = count;
  switch (objectives_.traits().baseline) {
    case Baseline::kNone:
      return;
    case Baseline::kMismatchedKl:
      baseline_ = KlEstimate(train_, step.examples, batch_size);
      return;
    case Baseline::kRunningMean: {
      const double mean = batch_size == count
                              ? (logps.policy_chosen_logps.detach() - logps.reference_chosen_logps)
                                    .mean(at::kDouble)
                                    .item<double>()
                              : MeanLogRatio(train_, step.examples, Answers::kOwn, batch_size);
      AddToRunningMean(mean, static_cast<double>(count));
      baseline_ = running_mean_[0].item<double>();
      return;
    }
  }
}

absl::Status UnpairedTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                               MetricSums* metrics) {
  const RandomStream dropout = step.random.Child("dropout").Child(micro_batch.front());
  ForwardOptions options;
  options.gradient_checkpointing = gradient_checkpointing_;
  options.dropout = &dropout;
  PreferenceLogps logps = Logps(train_, micro_batch, options, metrics);
  if (examples_to_come_ == 0) StartStep(step, logps);
  examples_to_come_ -= static_cast<int64_t>(micro_batch.size());
  logps.baseline = at::full_like(logps.reference_chosen_logps, baseline_);
  Backward(objectives_.Compute(logps, TotalsOf(data_.train, step.examples), metrics));
  return absl::OkStatus();
}

absl::StatusOr<MetricSums> UnpairedTask::Evaluate(int64_t batch_size) {
  const at::NoGradGuard no_grad;
  MetricSums metrics;
  std::vector<int64_t> examples(data_.eval.size());
  std::iota(examples.begin(), examples.end(), 0);
  const bool estimates_kl = objectives_.traits().baseline == Baseline::kMismatchedKl;
  const double baseline =
      estimates_kl ? KlEstimate(eval_, examples, batch_size) : running_mean_[0].item<double>();
  const LossTotals totals = TotalsOf(data_.eval, examples);
  for (size_t begin = 0; begin < examples.size(); begin += batch_size) {
    const auto some = absl::MakeConstSpan(examples).subspan(begin, batch_size);
    PreferenceLogps logps = Logps(eval_, some, {}, &metrics);
    logps.baseline = at::full_like(logps.reference_chosen_logps, baseline);
    objectives_.Compute(logps, totals, &metrics);
  }
  return metrics;
}

}  // namespace plumb
