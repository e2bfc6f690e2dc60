#ifndef PLUMB_COMMON_TRAIN_TINY_TASK_H_
#define PLUMB_COMMON_TRAIN_TINY_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/train/task.h"

namespace plumb {

// What tests of the train loop train: linear regression on random data, with noise on its inputs that is
// drawn from the step's random stream, as dropout would be. `features` sets the size of a checkpoint.
class TinyTask : public TrainTask {
 public:
  explicit TinyTask(at::ScalarType dtype, int64_t examples = 21, int64_t features = 5);

  int64_t TrainExampleCount() const override { return inputs_.size(0); }
  int64_t ExampleTokens(int64_t index) const override { return 10 + index; }
  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;
  absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) override;
  std::vector<NamedParameter> TrainableParameters() override {
    return {{"linear.weight", weight_}, {"linear.bias", bias_}};
  }
  absl::Status SaveModel(const std::string& folder) override;

  // Every bit of the parameters.
  std::string Bytes() const;

  // From this step on (counted from 0) the loss, or the gradient of linear.bias alone, is NaN.
  int64_t nan_loss_at = -1;
  int64_t nan_gradient_at = -1;

  // What Evaluate() gives as "score", one after the other, beside the held-out loss.
  std::vector<double> scores;

  std::vector<std::vector<int64_t>> micro_batches;  // all that were asked for
  int64_t evaluations = 0;

 private:
  at::Tensor Loss(at::Tensor inputs, const at::Tensor& targets) const;  // [examples]

  at::Tensor inputs_, targets_, weight_, bias_;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_TINY_TASK_H_
