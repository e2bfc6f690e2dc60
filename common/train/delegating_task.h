#ifndef PLUMB_COMMON_TRAIN_DELEGATING_TASK_H_
#define PLUMB_COMMON_TRAIN_DELEGATING_TASK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/train/task.h"

namespace plumb {

// A task that is another one and more: what a subclass does not override is the inner task's.
class DelegatingTask : public TrainTask {
 public:
  explicit DelegatingTask(std::unique_ptr<TrainTask> inner) : inner_(std::move(inner)) {}

  int64_t TrainExampleCount() const override { return inner_->TrainExampleCount(); }
  int64_t ExampleTokens(int64_t index) const override { return inner_->ExampleTokens(index); }
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override {
    return inner_->AccumulateGradients(step, micro_batch, metrics);
  }
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override { return inner_->Evaluate(batch_size); }
  std::vector<NamedParameter> TrainableParameters() override { return inner_->TrainableParameters(); }
  std::vector<NamedParameter> State() override { return inner_->State(); }
  absl::Status SaveModel(const std::string& folder) override { return inner_->SaveModel(folder); }

 private:
  std::unique_ptr<TrainTask> inner_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_DELEGATING_TASK_H_
