#ifndef PLUMB_OPTIM_ZEROTH_ORDER_ZEROTH_ORDER_TASK_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_ZEROTH_ORDER_TASK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "common/train/delegating_task.h"
#include "optim/zeroth_order/deep_zero.h"
#include "optim/zeroth_order/options.pb.h"

namespace plumb {

// Any task with gradients that are estimated from losses alone, for any optimizer. Either along
// random_directions z, `count` of them, standard normal and the same for all micro-batches of a step: the
// mean of
//   (l(theta + mu z) - l(theta - mu z)) / (2 mu) z    (TwoPointGradient() of gradient_estimates.h),
// or by sparse_coordinates i, DeepZero (deep_zero.h), which are drawn anew every redraw_steps steps, in each
// tensor as many as ZO-GraSP says at the first step and of its first micro-batch:
//   (l(theta + mu e_i) - l(theta)) / mu,    mu as the weight takes it, rounded.
// The task decides how a loss is computed, so that no layer's features are used again. Nothing is
// backpropagated: a step remembers what a forward pass does and a copy of the weights, that of ZO-GraSP some
// ten copies. Weights are what they were, to the last bit, when their gradients have been estimated.
//
// Only for weights of more than 16 bits, whose roundings hide such differences, and for tasks whose losses
// depend on the weights and the examples, not on how often they were asked for.
class ZerothOrderTask : public DelegatingTask {
 public:
  ZerothOrderTask(std::unique_ptr<TrainTask> inner, const ZerothOrder& options, const RandomStream& random);

  absl::Status AccumulateGradients(const TrainStep& step, absl::Span<const int64_t> micro_batch,
                                   MetricSums* metrics) override;

  // The inner task's, and each tensor's density, "zeroth_order.densities", NaN until it is known.
  std::vector<NamedParameter> State() override;

 private:
  // What a micro-batch adds to the step's loss, with the weights where they are.
  using LossOfMicroBatch = absl::FunctionRef<absl::StatusOr<double>()>;

  absl::Status AlongDirections(const TrainStep& step, LossOfMicroBatch loss);
  absl::Status AlongCoordinates(const TrainStep& step, double here, LossOfMicroBatch loss);
  absl::Status ChooseDensities(LossOfMicroBatch loss);
  LayerTensors Weights() const;  // as one layer
  void MoveTo(const LayerTensors& weights) const;

  ZerothOrder options_;
  RandomStream random_;
  std::vector<NamedParameter> parameters_;
  at::Tensor densities_;          // [tensors] f64
  std::vector<at::Tensor> mask_;  // of the draw `draw_`
  int64_t draw_ = -1;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_ZEROTH_ORDER_TASK_H_
