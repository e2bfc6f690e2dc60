#ifndef PLUMB_COMMON_TRAIN_GRADIENTS_H_
#define PLUMB_COMMON_TRAIN_GRADIENTS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/train/optimizer.h"

namespace plumb {

// The 2-norm of all gradients as one vector; parameters without a gradient count as 0. Summed in f64 in an
// order that does not depend on the number of threads.
double GlobalGradientNorm(absl::Span<const NamedParameter> parameters);

// Multiplies all gradients by min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_.
void ClipGradients(absl::Span<const NamedParameter> parameters, double norm, double max_norm);

// The first parameter whose gradient holds a NaN or an infinity; empty when none does.
std::string FirstNonFiniteGradient(absl::Span<const NamedParameter> parameters);

void ClearGradients(absl::Span<const NamedParameter> parameters);

// Sums gradients over micro-batches. Autograd adds them up in the parameter's own dtype, which is exact
// enough in f32; gradients of 16-bit parameters are collected here in f32 and rounded once, in Finish().
class GradientAccumulator {
 public:
  explicit GradientAccumulator(absl::Span<const NamedParameter> parameters);

  void AfterMicroBatch();
  void Finish();

 private:
  struct Sum {
    at::Tensor parameter;
    at::Tensor gradient;  // f32
  };
  std::vector<Sum> sums_;  // of 16-bit parameters
};

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_GRADIENTS_H_
