#ifndef PLUMB_COMMON_TRAIN_OPTIMIZER_H_
#define PLUMB_COMMON_TRAIN_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace plumb {

struct NamedParameter {
  std::string name;
  at::Tensor tensor;  // requires_grad; its grad() is what a step reads
};

// Moves weights along their gradients. The train loop knows nothing else of it.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // The rate that a schedule scales.
  virtual double learning_rate() const = 0;

  // One step at `learning_rate`; parameters without a gradient stay.
  virtual void Step(double learning_rate) = 0;

  // Everything a resumed run needs, by name; loading refuses what does not fit.
  virtual std::map<std::string, at::Tensor> State() const = 0;
  virtual absl::Status LoadState(const std::map<std::string, at::Tensor>& state) = 0;
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_OPTIMIZER_H_
