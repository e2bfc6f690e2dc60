#ifndef PLUMB_ALIGNMENT_PREFERENCE_TASK_H_
#define PLUMB_ALIGNMENT_PREFERENCE_TASK_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alignment/objectives/weighted_objectives.h"
#include "alignment/pair_batch.h"
#include "alignment/preference_data.h"
#include "alignment/reference_cache.h"
#include "alignment/stored_reference.h"
#include "alignment/text_model.h"
#include "common/train/task.h"

namespace plumb {

// Where reference log-probabilities come from: one of the three, none where no objective asks for them.
struct PreferenceReference {
  std::optional<ReferenceLogps> train;  // computed before the first step, of all examples
  std::optional<ReferenceLogps> eval;
  std::shared_ptr<CausalLm> model;  // or computed with each batch
  bool in_data = false;             // or the sums that the pairs themselves carry
};

// Training a policy on text or on pairs, by objectives on log-probabilities (sft, dpo and their kin). Each
// prompt is computed once for both of its answers. Metrics are those of TRL's DPOTrainer and SFTTrainer, as
// means over all examples or tokens.
class PreferenceTask : public TrainTask {
 public:
  // All must outlive this; the policy's weights are trained in place.
  PreferenceTask(TextModel* policy, const PreferenceData* data, const WeightedObjectives* objectives,
                 PreferenceReference reference, bool gradient_checkpointing);

  int64_t TrainExampleCount() const override { return data_.train.size(); }
  int64_t ExampleTokens(int64_t index) const override;
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override;
  std::vector<NamedParameter> TrainableParameters() override { return TrainedParameters(policy_); }
  absl::Status SaveModel(const std::string& folder) override { return SaveTextModel(policy_, folder); }

 protected:
  // The loss of a micro-batch, its share of the step's, with what the objectives saw of it.
  at::Tensor MicroBatchLoss(const TrainStep& step, absl::Span<const int64_t> micro_batch, MetricSums* metrics,
                            PreferenceLogps* logps);
  // The policy's part of these logps alone, of the model as it is, with the same dropout.
  PreferenceLogps MicroBatchPolicyLogps(const TrainStep& step, absl::Span<const int64_t> micro_batch);

 private:
  // One of the two halves of the data, with its reference.
  struct Part {
    const std::vector<TokenizedPreference>& pairs;
    std::optional<StoredReference> reference;
  };

  ForwardOptions TrainOptions(const RandomStream& dropout) const;

  // What the objectives see of some examples; adds the metrics that are no objective's.
  PreferenceLogps Logps(const Part& part, absl::Span<const int64_t> examples, const ForwardOptions& options,
                        bool is_evaluation, MetricSums* metrics);

  TextModel& policy_;
  const PreferenceData& data_;
  const WeightedObjectives& objectives_;
  PreferenceReference reference_;
  bool gradient_checkpointing_;
  bool with_rejected_;
  Part train_, eval_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_PREFERENCE_TASK_H_
