#ifndef PLUMB_OPTIM_SURROGATE_TARGET_SURROGATE_H_
#define PLUMB_OPTIM_SURROGATE_TARGET_SURROGATE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/train/optimizer.h"

namespace plumb {

// Target-based surrogates: Lavington, Vaswani, Babanezhad, Schmidt and Le Roux 2023, "Target-based Surrogates
// for Stochastic Optimization" (arXiv 2302.02607), algorithm SSO. For a loss l(z(theta)) whose gradient in
// the targets z (logits, actions) is expensive and z(theta) cheap, a step asks for dl/dz once and then lowers
//   g(theta) = l(z_t) + <dl/dz, z(theta) - z_t> + |z(theta) - z_t|^2 / (2 eta)
// by several steps in theta, which is gradient descent in z followed by a projection onto what the model can
// give. If l is 1/eta-smooth in z, g lies above l and no full-batch step raises l; one inner step
// of gradient descent is a step on l itself.
//
// Not verified: the paper's learning rate schedules and its experiments in MuJoCo.

// The targets of the step's examples as a function of the parameters.
class TargetModel {
 public:
  virtual ~TargetModel() = default;
  virtual at::Tensor Targets() = 0;  // z at the parameters as they are
  // Adds (dz / dtheta)^T cotangent to the parameters' gradients, at the parameters as they are.
  virtual void Backward(const at::Tensor& cotangent) = 0;
  virtual absl::Span<const NamedParameter> Parameters() = 0;
};

struct SurrogateOptions {
  double eta = 1;            // the step size in target space
  int64_t inner_steps = 10;  // m
  double step_size = 1;      // of the first trial in theta
  // Armijo's rule on the surrogate: a trial is halved until it falls by `sufficient` * step |gradient|^2, and
  // the next inner step starts from twice what was taken. Off: every inner step has step_size.
  bool line_search = true;
  double sufficient = 0.5;
};

struct SurrogateSummary {
  double decrease = 0;      // of the surrogate, at least 0 with a line search
  int64_t inner_steps = 0;  // taken; fewer than asked for where the gradient vanishes or no trial is better
  int64_t target_evaluations = 0;
};

// One step from the parameters as they are: `target_gradient` is dl/dz at Targets(), of the same shape. The
// gradients of the parameters are overwritten.
absl::StatusOr<SurrogateSummary> SurrogateStep(TargetModel* model, const at::Tensor& target_gradient,
                                               const SurrogateOptions& options);

}  // namespace plumb

#endif  // PLUMB_OPTIM_SURROGATE_TARGET_SURROGATE_H_
