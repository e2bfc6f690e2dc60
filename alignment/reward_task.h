#ifndef PLUMB_ALIGNMENT_REWARD_TASK_H_
#define PLUMB_ALIGNMENT_REWARD_TASK_H_

#include <string>
#include <vector>

#include "alignment/objectives/weighted_objectives.h"
#include "alignment/pair_batch.h"
#include "alignment/preference_data.h"
#include "common/data/tokenizer.h"
#include "common/nn/reward_model.h"
#include "common/train/task.h"

namespace plumb {

// Rewards of the chosen answers, then of the rejected ones, f32 (f64 of an f64 model): read at the last
// tokens.
at::Tensor LastTokenRewards(const RewardModel& model, const PairBatch& batch, const ForwardOptions& options);

// Training a reward model on pairs, as TRL's RewardTrainer: the reward of an answer is read at its last
// token. Each prompt is computed once for both of its answers.
class RewardTask : public TrainTask {
 public:
  // All must outlive this; the model's weights are trained in place. The tokenizer is saved with the model.
  RewardTask(RewardModel* model, const Tokenizer* tokenizer, const PreferenceData* data,
             const WeightedObjectives* objectives, bool gradient_checkpointing)
      : model_(*model),
        tokenizer_(*tokenizer),
        data_(*data),
        objectives_(*objectives),
        gradient_checkpointing_(gradient_checkpointing) {}

  int64_t TrainExampleCount() const override { return data_.train.size(); }
  int64_t ExampleTokens(int64_t index) const override { return TokenCount(data_.train[index], true); }
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override;
  std::vector<NamedParameter> TrainableParameters() override;
  absl::Status SaveModel(const std::string& folder) override;

 private:
  at::Tensor Loss(const Pairs& pairs, double step_examples, const ForwardOptions& options,
                  MetricSums* metrics);

  RewardModel& model_;
  const Tokenizer& tokenizer_;
  const PreferenceData& data_;
  const WeightedObjectives& objectives_;
  bool gradient_checkpointing_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_REWARD_TASK_H_
