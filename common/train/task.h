#ifndef PLUMB_COMMON_TRAIN_TASK_H_
#define PLUMB_COMMON_TRAIN_TASK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "common/train/metrics.h"
#include "common/train/optimizer.h"

namespace plumb {

// One optimizer step as a task sees it: all of its examples, so that a loss can be divided by what the whole
// step holds (examples, or tokens) and accumulation over micro-batches is exact.
struct TrainStep {
  int64_t index = 0;                   // from 0
  absl::Span<const int64_t> examples;  // of all micro-batches
  RandomStream random;                 // this step's own stream
};

// What is trained: the loop knows neither model nor data nor objective.
class TrainTask {
 public:
  virtual ~TrainTask() = default;

  virtual int64_t TrainExampleCount() const = 0;

  // Tokens that example `index` costs, for tokens/s and for balanced micro-batches.
  virtual int64_t ExampleTokens(int64_t index) const = 0;

  // Forward and backward over `micro_batch` (a part of step.examples); adds to the gradients and to the
  // metrics. Where gradients are switched off (at::NoGradGuard) forward alone
  // (a task that goes back more than once within a step cannot).
  virtual absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                           MetricSums* metrics) = 0;

  // Metrics over the held-out examples, without the prefix "eval_"; empty when there are none.
  virtual absl::StatusOr<MetricSums> Evaluate(int64_t batch_size) = 0;

  // What is trained, in a fixed order.
  virtual std::vector<NamedParameter> TrainableParameters() = 0;

  // What else decides the result, such as running means: checkpoints keep these tensors too. Under other
  // names than the parameters'.
  virtual std::vector<NamedParameter> State() { return {}; }

  // Writes the model as users load it (Hugging Face or PEFT folder) into the existing folder.
  virtual absl::Status SaveModel(const std::string& folder) = 0;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_TASK_H_
