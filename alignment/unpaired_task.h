#ifndef PLUMB_ALIGNMENT_UNPAIRED_TASK_H_
#define PLUMB_ALIGNMENT_UNPAIRED_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alignment/objectives/weighted_objectives.h"
#include "alignment/pair_batch.h"
#include "alignment/preference_data.h"
#include "alignment/preference_task.h"
#include "alignment/stored_reference.h"
#include "alignment/text_model.h"
#include "common/train/task.h"

namespace plumb {

// Training a policy on answers that have a label each and no pair, by objectives such as kto and bco. The
// answers stand as chosen ones; where the objectives want an estimate of the KL divergence, the rejected ones
// are those of other prompts (mismatched_answers.h). Metrics are those of TRL's KTOTrainer, as means over all
// examples or tokens.
//
// What objectives compare with is of a whole optimizer step, or of all held-out examples, where TRL takes a
// micro-batch's: the estimate of the KL divergence costs one more pass over the step's mismatched answers,
// without gradients; the running mean takes one over the step's answers when the step has several
// micro-batches.
class UnpairedTask : public TrainTask {
 public:
  // All must outlive this; the policy's weights are trained in place.
  UnpairedTask(TextModel* policy, const PreferenceData* data, const WeightedObjectives* objectives,
               PreferenceReference reference, bool gradient_checkpointing);

  int64_t TrainExampleCount() const override { return data_.train.size(); }
  int64_t ExampleTokens(int64_t index) const override {
    return TokenCount(data_.train[index], /*with_rejected=*/false);
  }
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override;
  std::vector<NamedParameter> TrainableParameters() override { return TrainedParameters(policy_); }
  std::vector<NamedParameter> State() override;  // the running mean
  absl::Status SaveModel(const std::string& folder) override { return SaveTextModel(policy_, folder); }

 private:
  // One of the two halves of the data, with its reference.
  struct Part {
    const std::vector<TokenizedPreference>& examples;
    std::optional<StoredReference> reference;
  };
  enum class Answers { kOwn, kMismatched };

  static Part MakePart(const std::vector<TokenizedPreference>& examples, std::optional<ReferenceLogps> logps);
  // What the objectives see of some examples but the baseline; adds the metrics that are no objective's.
  PreferenceLogps Logps(const Part& part, absl::Span<const int64_t> examples, const ForwardOptions& options,
                        MetricSums* metrics);
  // [predicted tokens of the batch]
  at::Tensor ReferenceTokens(const Part& part, absl::Span<const int64_t> examples, Answers answers,
                             const PairBatch& batch);
  // Mean log-ratio of policy to reference, without gradients, batch_size examples at a time.
  double MeanLogRatio(const Part& part, absl::Span<const int64_t> examples, Answers answers,
                      int64_t batch_size);
  double KlEstimate(const Part& part, absl::Span<const int64_t> examples, int64_t batch_size);
  // The baseline of a step, before the first of its micro-batches, whose log-probabilities these are.
  void StartStep(const TrainStep& step, const PreferenceLogps& logps);
  void AddToRunningMean(double mean, double count);

  TextModel& policy_;
  const PreferenceData& data_;
  const WeightedObjectives& objectives_;
  const std::shared_ptr<CausalLm> reference_model_;  // null when log-probabilities are stored
  const bool gradient_checkpointing_;
  const Part train_, eval_;
  at::Tensor running_mean_;       // [2] f64: mean log-ratio of the training so far, and of how many examples
  double baseline_ = 0;           // of the present step
  int64_t examples_to_come_ = 0;  // of the present step
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_UNPAIRED_TASK_H_
