#include "optim/private/clipped_task.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <utility>

#include "common/status/status_macros.h"
#include "common/train/gradients.h"

namespace plumb {

ClippedTask::ClippedTask(std::unique_ptr<TrainTask> inner, double max_grad_norm)
    : DelegatingTask(std::move(inner)), parameters_(TrainableParameters()), max_grad_norm_(max_grad_norm) {}

absl::Status ClippedTask::AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                              MetricSums* metrics) {
  std::vector<at::Tensor> sums;
  for (const NamedParameter& parameter : parameters_) sums.push_back(parameter.tensor.grad());
  for (const int64_t example : micro_batch) {
    ClearGradients(parameters_);
    WidenGradients(parameters_);
    const TrainStep alone = {step.index, absl::MakeConstSpan(&example, 1), step.random.Child(example)};
    PLUMB_RETURN_IF_ERROR(DelegatingTask::AccumulateGradients(alone, alone.examples, metrics));
    const double norm = GlobalGradientNorm(parameters_);
    const bool clipped = norm > max_grad_norm_;
    metrics->Add("clipped_gradients", clipped ? 1 : 0, 1);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const at::Tensor gradient = parameters_[i].tensor.grad();
      if (!gradient.defined()) continue;
      if (clipped) gradient.mul_(max_grad_norm_ / norm);
      sums[i] = sums[i].defined() ? sums[i].add_(gradient) : gradient;
    }
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor tensor = parameters_[i].tensor;
    tensor.mutable_grad() = sums[i];
  }
  return absl::OkStatus();
}

}  // namespace plumb
