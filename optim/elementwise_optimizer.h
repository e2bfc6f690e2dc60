#ifndef PLUMB_OPTIM_ELEMENTWISE_OPTIMIZER_H_
#define PLUMB_OPTIM_ELEMENTWISE_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/train/optimizer.h"

namespace plumb {

// As transformers' Trainer: no weight decay for biases and for the weights of norms, told by their names
// (also those of GPT-2, whose ln_1, ln_2 and ln_f transformers tells by their class).
bool HasWeightDecay(absl::string_view parameter_name);

// What optimizers share whose update of a weight needs that weight, its gradient and some state of the same
// shape. States are f32, f64 for f64 parameters. A bf16 or f16 parameter has f32 master weights here: they
// are what is updated, and the parameter is their rounding, so that updates too small for 16 bits add up. One
// pass over memory; the result does not depend on the number of threads.
class ElementwiseOptimizer : public Optimizer {
 public:
  double learning_rate() const override { return learning_rate_; }
  void Step(double learning_rate) override;

  // "steps" [parameters] int64; "BUFFER.NAME" for each buffer of each parameter; "master.NAME".
  std::map<std::string, at::Tensor> State() const override;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override;

 protected:
  // `parameters` are contiguous; `weight_decay` goes to those that HasWeightDecay(). Buffers start at zero.
  ElementwiseOptimizer(std::vector<NamedParameter> parameters, double learning_rate, double weight_decay,
                       std::vector<std::string> buffers);

  struct Update {
    double learning_rate;
    double weight_decay;
    int64_t step;  // from 1: how often this parameter had a gradient
  };

  // Updates `size` weights; `buffers` in the order of their names. Called from many threads.
  virtual void UpdateBlock(const Update& update, int64_t size, float* weights, const float* gradients,
                           float* const* buffers) const = 0;
  virtual void UpdateBlock(const Update& update, int64_t size, double* weights, const double* gradients,
                           double* const* buffers) const = 0;

 private:
  struct Slot {
    NamedParameter parameter;
    at::Tensor weights;  // the parameter, or its f32 master weights
    std::vector<at::Tensor> buffers;
    double weight_decay = 0;
  };
  template <typename Parameter, typename Scalar>
  void StepSlot(const Slot& slot, const at::Tensor& gradient, const Update& update) const;

  double learning_rate_;
  std::vector<std::string> buffer_names_;
  std::vector<Slot> slots_;
  at::Tensor steps_;  // [slots] int64
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_ELEMENTWISE_OPTIMIZER_H_
