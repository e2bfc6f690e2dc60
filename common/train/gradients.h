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

// Before a step's first micro-batch: gives parameters of 16 bits a gradient of zeros in f32. Autograd and our
// kernels add to it in f32; without, autograd would round the sum to 16 bits after each micro-batch.
void WidenGradients(absl::Span<const NamedParameter> parameters);

// loss.backward(); nothing where gradients are switched off.
void Backward(const at::Tensor& loss);

void ClearGradients(absl::Span<const NamedParameter> parameters);

}  // namespace plumb

#endif  // PLUMB_COMMON_TRAIN_GRADIENTS_H_
