#ifndef PLUMB_OPTIM_PRIVATE_CLIPPED_TASK_H_
#define PLUMB_OPTIM_PRIVATE_CLIPPED_TASK_H_

#include <memory>
#include <vector>

#include "common/train/delegating_task.h"

namespace plumb {

// Any task with its examples' gradients clipped one by one, as DpSgd (dp_sgd.h) asks: the gradient of a step
// is the sum over its examples b of
//   min(1, max_grad_norm / |g_b|) g_b,   g_b the gradient of a step that b alone makes,
// |g_b| over all parameters together. One example is computed at a time, in the task's own way, so that
// memory is that of one example and two gradients; a model written with GhostClipping's layers takes them
// together. Only for tasks in which an example's loss looks at no other example. "clipped_gradients" in the
// metrics is the share that was clipped.
class ClippedTask : public DelegatingTask {
 public:
  ClippedTask(std::unique_ptr<TrainTask> inner, double max_grad_norm);

  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;

 private:
  std::vector<NamedParameter> parameters_;
  double max_grad_norm_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_CLIPPED_TASK_H_
